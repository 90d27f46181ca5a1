/**
 * The sampled objects that are still alive.
 *
 * Nobody tells when an object ends: it may be freed by any thread, or discarded with its epoch. So each is looked up in
 * the buffer when somebody asks. Its slot word holds state and generation; the word it had when it was sampled
 * means this very object, and never comes back once the object has ended (words/slot-word.ts).
 */

import type { Attachment } from "../../allocator/memory/attachment.js";
import { recordAt } from "../../allocator/memory/layout.js";
import { isEraDiscarded } from "../../allocator/words/epoch-table.js";
import { SLOT_ALLOC, slotState } from "../../allocator/words/slot-word.js";
import { frameKey, type Sampled, type Site } from "./profile.js";
import type { StackFrame } from "./stack-text.js";

interface Entry extends Sampled {
  /** Index of the slot word, and its value while the object lives. */
  readonly at: number;
  readonly word: number;
}

/** Below this many samples, looking for dead ones saves nothing. */
const MIN_PRUNE = 1024;

export class LiveSamples {
  private readonly a: Attachment;
  private entries: Entry[] = [];
  private sites = new Map<string, Site>();
  private pruneAt = MIN_PRUNE;

  constructor(a: Attachment) {
    this.a = a;
  }

  /** Remembers the live object in the slot word at index `at`, if there is one. */
  add(at: number, size: number, frames: readonly StackFrame[], ordinal: number): void {
    const word = this.a.m[at] as number;
    if (slotState(word) !== SLOT_ALLOC) return;
    // Dead entries are at most as many as the live ones of last time: memory follows what is alive.
    if (this.entries.length >= this.pruneAt) this.prune();
    const key = frames.map(frameKey).join("\n");
    let site = this.sites.get(key);
    if (site === undefined) {
      site = { key, frames: Object.freeze(frames.map((frame) => Object.freeze(frame))) };
      this.sites.set(key, site);
    }
    this.entries.push({ at, word, size, ordinal, site });
  }

  /** The samples whose objects live now, oldest first. */
  live(): readonly Sampled[] {
    this.prune();
    return this.entries;
  }

  /** Entries held right now, dead ones included. */
  get held(): number {
    return this.entries.length;
  }

  private prune(): void {
    this.entries = this.entries.filter((entry) => this.isLive(entry));
    this.sites = new Map(this.entries.map(({ site }) => [site.key, site]));
    this.pruneAt = Math.max(MIN_PRUNE, 2 * this.entries.length);
  }

  /** Plain reads: an object that is ending at this moment may be counted or not. */
  private isLive({ at, word }: Entry): boolean {
    const { m, layout } = this.a;
    const slab = (at - layout.slotBase) >> layout.slotsShift;
    // The second half: owners that are blocked have not made the words of a discarded epoch stale yet.
    return m[at] === word && !isEraDiscarded(m, recordAt(slab));
  }
}
