// Keeps stamped objects and checks them, one random step after the other. Used by every thread that must not
// lose anything: workers that live, workers that will be killed, and the main thread itself.
//
// Eras with era % 4 === 3 may be discarded by anybody at any time (`isDoomedEra`); objects of all other eras
// must stay until they are freed.
import { NULL_HANDLE } from "temporal-slab";
import { Random, stamp, stampProblem } from "./shared.mjs";

export function isDoomedEra(era) {
  return era % 4 === 3;
}

export class Keeper {
  /** `owner`: number in every stamp. `most`: objects kept at the same time. */
  constructor({ control, mailbox, owner, seed, most, largest, zeroed }) {
    this.control = control;
    this.mailbox = mailbox;
    this.owner = owner;
    this.random = new Random(seed);
    this.most = most;
    this.largest = largest;
    this.zeroed = zeroed;
    this.serial = 0;
    this.kept = [];
    this.fence = new Int32Array(new SharedArrayBuffer(4));
  }

  /** Allocates and stamps one object; keeps it. */
  alloc(heap, size, epoch) {
    const before = heap.currentEpoch.era;
    const handle = heap.alloc(size, epoch);
    if (handle === NULL_HANDLE) return NULL_HANDLE;
    const serial = ++this.serial | 0;
    const object = this.measure(heap, handle);
    if (object === undefined) {
      // Discarded meanwhile: right only if it can have been of a doomed era. One before the newest counts: its
      // closing shows in ERA a moment before other threads are told.
      for (let era = before - 1; era <= heap.currentEpoch.era; era++)
        if (isDoomedEra(era)) return NULL_HANDLE;
      this.control.fail(`a new object of an era from ${before} to ${heap.currentEpoch.era} was lost at once`);
      return NULL_HANDLE;
    }
    if (this.zeroed) this.checkZero(heap, object);
    stamp(heap.i32, object.offset, object.bytes, this.owner, serial);
    this.kept.push({ handle, serial, ...object });
    return handle;
  }

  /** Place, size and era of an object, or undefined when it is stale. */
  measure(heap, handle) {
    try {
      const era = heap.epochOf(handle).era;
      return { era, offset: heap.byteOffset(handle), bytes: heap.sizeOf(handle) };
    } catch (error) {
      if (error.code !== "ERR_TSLAB_STALE_HANDLE") throw error;
      return undefined;
    }
  }

  checkZero(heap, { offset, bytes, era }) {
    for (let w = offset >>> 2; w < (offset + bytes) >>> 2; w++) {
      if (heap.i32[w] !== 0 && !isDoomedEra(era)) {
        return this.control.fail(
          `zeroOnFree: byte ${w * 4 - offset} of a new object of ${bytes} bytes is not 0`,
        );
      }
    }
  }

  /** Checks a kept object in full; returns whether it is still there. */
  check(heap, object) {
    const live = heap.isLive(object.handle);
    const problem = stampProblem(heap.i32, object.offset, object.bytes, this.owner, object.serial);
    if (isDoomedEra(object.era)) {
      if (live && problem !== "" && this.liveNow(heap, object.handle)) this.control.fail(problem);
      return live;
    }
    if (!live) {
      this.control.fail(`object ${this.owner}/${object.serial} of era ${object.era} was lost`);
      return false;
    }
    if (problem !== "") this.control.fail(problem);
    if (heap.epochOf(object.handle).era !== object.era) {
      this.control.fail(`object ${this.owner}/${object.serial} moved from era ${object.era} to another`);
    }
    return true;
  }

  /** As isLive, but after everything this thread has read so far. */
  liveNow(heap, handle) {
    Atomics.add(this.fence, 0, 1);
    return heap.isLive(handle);
  }

  takeAny() {
    const i = this.random.below(this.kept.length);
    const object = this.kept[i];
    const last = this.kept.pop();
    if (i < this.kept.length) this.kept[i] = last;
    return object;
  }

  freeAny(heap) {
    if (this.kept.length === 0) return;
    const object = this.takeAny();
    const there = this.check(heap, object);
    const freed = heap.free(object.handle);
    if (there && !freed && !isDoomedEra(object.era)) {
      this.control.fail(`object ${this.owner}/${object.serial} of era ${object.era} could not be freed`);
    }
    if (heap.free(object.handle)) this.control.fail(`object ${this.owner}/${object.serial} was freed twice`);
  }

  /** Hands an object to whoever looks into the cell next, and frees what was there. */
  exchange(heap) {
    const object = this.kept.length === 0 ? undefined : this.takeAny();
    const cell = this.random.next();
    const received = this.mailbox.swap(cell, object === undefined ? NULL_HANDLE : object.handle);
    if (received !== NULL_HANDLE) this.release(heap, received);
  }

  /** Checks and frees an object somebody stamped in full. */
  release(heap, handle) {
    const object = this.measure(heap, handle);
    const doomed = object === undefined || isDoomedEra(object.era);
    if (object !== undefined) {
      const problem = stampProblem(heap.i32, object.offset, object.bytes);
      if (problem !== "" && (!doomed || this.liveNow(heap, handle)))
        this.control.fail(`received: ${problem}`);
    }
    const freed = heap.free(handle);
    if (!freed && !doomed) this.control.fail(`received object of era ${object.era} could not be freed`);
    if (heap.free(handle)) this.control.fail("a received object was freed twice");
  }

  /** One random step that only touches objects. */
  step(heap) {
    const { random } = this;
    const roll = random.below(100);
    if (roll < 45) {
      if (this.kept.length >= this.most) this.freeAny(heap);
      else this.alloc(heap, 16 + random.below(roll < 43 ? 200 : this.largest));
    } else if (roll < 80) this.freeAny(heap);
    else if (roll < 95) this.exchange(heap);
    else if (this.kept.length > 0) this.check(heap, this.kept[random.below(this.kept.length)]);
  }

  checkAll(heap) {
    this.kept = this.kept.filter((object) => this.check(heap, object));
  }

  freeAll(heap) {
    while (this.kept.length > 0) this.freeAny(heap);
  }
}
