/**
 * A cache whose generations are epochs: no timer per entry, and memory that goes back all at once.
 *
 * An entry lives in the epoch it was written in. `tick()` opens the next one and drops every entry of the epoch that is
 * `generations` old, all at once: their handles are stale from that instant, and a lookup notices. An entry that is
 * read in an older epoch is written again into the current one, so what is used stays.
 */
import { NULL_HANDLE } from "temporal-slab";
import { allocText, readText } from "temporal-slab/data";

export class SessionCache {
  #heap;
  #generations;
  /** Epochs that may hold entries, oldest first. */
  #epochs;
  #handles = new Map();
  stats = { hits: 0, misses: 0, refreshed: 0, dropped: 0, full: 0 };

  /** `generations`: how many ticks an entry outlives its last use, 1 to 14 (the heap has a ring of 16 epochs). */
  constructor(heap, { generations = 3 } = {}) {
    if (!Number.isInteger(generations) || generations < 1 || generations > 14) {
      throw new RangeError(`generations must be a whole number from 1 to 14; got ${generations}`);
    }
    this.#heap = heap;
    this.#generations = generations;
    this.#epochs = [heap.currentEpoch];
  }

  set(key, session) {
    const handle = allocText(this.#heap, JSON.stringify(session));
    // A full cache keeps what it has: an entry written over would be neither the old one nor the new.
    if (handle === NULL_HANDLE) {
      this.stats.full++;
      return false;
    }
    const old = this.#handles.get(key);
    // False when it was dropped with its epoch: nothing is left to free then.
    if (old !== undefined) this.#heap.free(old);
    this.#handles.set(key, handle);
    return true;
  }

  get(key) {
    const handle = this.#handles.get(key);
    if (handle === undefined || !this.#heap.isLive(handle)) {
      this.#handles.delete(key);
      this.stats.misses++;
      return undefined;
    }
    this.stats.hits++;
    const session = JSON.parse(readText(this.#heap, handle));
    if (this.#heap.epochOf(handle).era !== this.#heap.currentEpoch.era && this.set(key, session)) {
      this.stats.refreshed++;
    }
    return session;
  }

  /** Once per generation, for example every minute. Returns how many entries were dropped. */
  tick() {
    this.#epochs.push(this.#heap.advanceEpoch());
    if (this.#epochs.length <= this.#generations) return 0;
    this.#epochs.shift();
    const { objectsDiscarded } = this.#heap.discardBefore(this.#epochs[0]);
    this.stats.dropped += objectsDiscarded;
    // The keys are this thread's own, so it walks them; the entries' memory is back already.
    for (const [key, handle] of this.#handles) if (!this.#heap.isLive(handle)) this.#handles.delete(key);
    return objectsDiscarded;
  }

  get size() {
    return this.#handles.size;
  }
}
