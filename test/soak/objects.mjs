// Objects of one thread: every one is stamped over its whole payload when it is allocated and checked before it is freed.
//
// Objects of doomed eras (board.mjs) may end at any time. All others must stay until somebody frees them.
import { NULL_HANDLE } from "temporal-slab";
import { isDoomed, stamp, stampProblem } from "./board.mjs";

export class Objects {
  /** `owner`: number in every stamp. `most`: objects kept over several patterns. `zeroed`: the heap zeroes on free. */
  constructor({ control, row, random, owner, most, zeroed }) {
    Object.assign(this, { control, row, random, owner, most, zeroed });
    this.serial = 0;
    this.kept = [];
    this.stale = [];
    this.fence = new Int32Array(new SharedArrayBuffer(4));
  }

  isDoomed(era) {
    return isDoomed(this.control, era);
  }

  fail(what) {
    this.control.fail(`thread ${this.owner} in "${this.row.pattern}": ${what}`);
  }

  /** Allocates and stamps; undefined when there is no room or the epoch is not open. */
  alloc(heap, size, epoch) {
    const before = heap.currentEpoch.era;
    return this.adopt(heap, heap.alloc(size, epoch), before);
  }

  /**
   * Stamps what was just allocated. Its slab is this thread's, and only this thread's next look at the heap can end it:
   * between the last look in `measure` and the stamp nobody else can get the memory.
   */
  adopt(heap, handle, before) {
    this.row.add("operations");
    if (handle === NULL_HANDLE) {
      this.row.add("outOfMemory", heap.lastFailure === "out-of-memory" ? 1 : 0);
      if (heap.lastFailure === "none") this.fail("an alloc failed without a reason");
      return undefined;
    }
    this.row.add("allocs");
    const place = this.measure(heap, handle);
    if (place === undefined) {
      // One era before counts: a close shows in the newest era a moment before other threads are told.
      let doomed = false;
      for (let era = before - 1; era <= heap.currentEpoch.era; era++) doomed ||= this.isDoomed(era);
      if (!doomed) this.fail(`a new object of era ${before} or later was lost at once`);
      return undefined;
    }
    if (this.zeroed) this.checkZero(heap, place);
    const object = { handle, owner: this.owner, serial: ++this.serial | 0, ...place };
    stamp(heap.i32, object.offset, object.bytes, object.owner, object.serial);
    return object;
  }

  measure(heap, handle) {
    try {
      const { era } = heap.epochOf(handle);
      const bytes = heap.sizeOf(handle);
      return { era, bytes, offset: heap.byteOffset(handle) };
    } catch (error) {
      if (error.code !== "ERR_TSLAB_STALE_HANDLE") throw error;
      return undefined;
    }
  }

  checkZero(heap, { offset, bytes }) {
    for (let w = offset >>> 2; w < (offset + bytes) >>> 2; w++) {
      if (heap.i32[w] === 0) continue;
      this.fail(
        `byte ${w * 4 - offset} of a new object of ${bytes} bytes is not 0, in a heap with zeroOnFree`,
      );
      return;
    }
  }

  /** Checks all of an object; returns whether it is still there. What was read of one that is gone says nothing. */
  check(heap, object) {
    const { handle, offset, bytes, owner, serial, era } = object;
    const problem = stampProblem(heap.i32, offset, bytes, owner, serial);
    this.row.add("checked");
    // After everything read above: if it is live now, it was live all the time.
    Atomics.add(this.fence, 0, 1);
    const live = heap.isLive(handle);
    if (live && problem !== "") this.fail(problem);
    if (!live && !this.isDoomed(era)) this.fail(`object ${owner}/${serial} of era ${era} was lost`);
    return live;
  }

  /**
   * Checks and frees; a second free must be refused. The first may succeed although the object is not live any more: until
   * the discard of its epoch has returned, a free that races with it may go either way.
   */
  free(heap, object) {
    this.check(heap, object);
    const { handle, owner, serial, era } = object;
    const freed = heap.free(handle);
    this.row.add("operations");
    if (freed) this.row.add("frees");
    if (!freed && !this.isDoomed(era))
      this.fail(`object ${owner}/${serial} of era ${era} could not be freed`);
    if (this.random.below(8) === 0 && heap.free(handle))
      this.fail(`object ${owner}/${serial} was freed twice`);
    if (this.random.below(16) === 0) {
      if (this.stale.length > 64) this.stale.shift();
      this.stale.push(handle);
    }
  }

  freeEach(heap, objects) {
    for (let i = 0; i < objects.length; i++) {
      if ((i & 63) === 0) this.row.beat();
      this.free(heap, objects[i]);
    }
  }

  /** Keeps an object beyond the pattern that made it, and frees another where there are too many. */
  keep(heap, object) {
    if (object === undefined) return;
    this.kept.push(object);
    while (this.kept.length > this.most) this.free(heap, this.takeAny());
  }

  takeAny() {
    const i = this.random.below(this.kept.length);
    const last = this.kept.pop();
    if (i === this.kept.length) return last;
    const object = this.kept[i];
    this.kept[i] = last;
    return object;
  }

  /**
   * An object somebody else stamped. `era` where the sender told it: then it can be missed. Undefined when it is gone.
   */
  receive(heap, handle, era) {
    this.row.add("received");
    const place = this.measure(heap, handle);
    if (place === undefined) {
      if (era !== undefined && !this.isDoomed(era)) this.fail(`an object of era ${era} was lost on its way`);
      return undefined;
    }
    const word = place.offset >>> 2;
    const object = { handle, owner: heap.i32[word], serial: heap.i32[word + 1], ...place };
    return this.check(heap, object) ? object : undefined;
  }

  freeAllKept(heap) {
    const objects = this.kept;
    this.kept = [];
    this.freeEach(heap, objects);
  }
}
