/**
 * What a fuzz run knows of its live objects: handle, place, era, and a stamp in every usable byte. Places never
 * overlap, stamps never change, whatever the heap is asked in between.
 */
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import type { EpochRef, Handle } from "../../src/allocator/types.js";
import { Violation } from "./outcome.js";

export interface LiveObject {
  readonly handle: Handle;
  readonly offset: number;
  /** Usable bytes, all of them stamped. */
  readonly room: number;
  readonly era: number;
  readonly stamp: Uint8Array;
}

export class LiveObjects {
  private readonly byHandle = new Map<number, LiveObject>();
  private stamps = 0;

  constructor(objects: Iterable<LiveObject> = []) {
    for (const object of objects) this.byHandle.set(object.handle, object);
    this.stamps = this.byHandle.size;
  }

  get size(): number {
    return this.byHandle.size;
  }

  list(): LiveObject[] {
    return [...this.byHandle.values()];
  }

  has(handle: number): boolean {
    return this.byHandle.has(handle);
  }

  /** Takes in an object just allocated, and stamps it. */
  add(heap: SlabHeap, handle: Handle, size: number, era: number): LiveObject {
    const offset = heap.byteOffset(handle);
    const room = heap.sizeOf(handle);
    const { payloadOffset, capacityBytes } = heap._a.layout;
    if (this.byHandle.has(handle)) throw new Violation("wrong", `alloc gave live handle ${handle} again`);
    if (room < size) throw new Violation("wrong", `alloc(${size}) gave ${room} bytes`);
    if (offset < payloadOffset || offset + room > payloadOffset + capacityBytes) {
      throw new Violation("wrong", `alloc(${size}) gave ${room} bytes at ${offset}, outside the payload`);
    }
    for (const other of this.byHandle.values()) {
      if (offset < other.offset + other.room && other.offset < offset + room) {
        throw new Violation(
          "wrong",
          `alloc(${size}) gave ${offset}, inside the live object at ${other.offset}`,
        );
      }
    }
    const stamp = new Uint8Array(room).fill(1 + (this.stamps % 255));
    new DataView(stamp.buffer).setInt32(0, this.stamps++);
    const object: LiveObject = { handle, offset, room, era, stamp };
    heap.view(handle).set(stamp);
    this.byHandle.set(handle, object);
    return object;
  }

  remove(handle: number): void {
    this.byHandle.delete(handle);
  }

  /** Forgets the objects of discarded eras; returns their handles. */
  discard(isGone: (era: number) => boolean): Handle[] {
    const gone = this.list().filter(({ era }) => isGone(era));
    for (const { handle } of gone) this.byHandle.delete(handle);
    return gone.map(({ handle }) => handle);
  }

  /** The first object whose bytes are not as stamped, read past the heap's own methods. */
  firstOverwritten(bytes: Uint8Array): LiveObject | undefined {
    return this.list().find(
      ({ offset, room, stamp }) => Buffer.compare(bytes.subarray(offset, offset + room), stamp) !== 0,
    );
  }

  /** Everything a user can ask about a live object, asked of `heap`. */
  look(heap: SlabHeap, object: LiveObject): void {
    const { handle, offset, room, era, stamp } = object;
    const name = `live object at ${offset}`;
    if (!heap.isLive(handle)) throw new Violation("wrong", `${name}: isLive is false`);
    const view = heap.view(handle);
    const seen = {
      byteOffset: heap.byteOffset(handle),
      sizeOf: heap.sizeOf(handle),
      viewAt: view.byteOffset,
    };
    if (
      seen.byteOffset !== offset ||
      seen.sizeOf !== room ||
      seen.viewAt !== offset ||
      view.length !== room
    ) {
      throw new Violation(
        "wrong",
        `${name} of ${room} bytes: now ${JSON.stringify(seen)}, view ${view.length}`,
      );
    }
    const ref: EpochRef = heap.epochOf(handle);
    if (ref.era !== era || ref.id !== era % 16) {
      throw new Violation("wrong", `${name} of era ${era}: epochOf says ${JSON.stringify(ref)}`);
    }
    if (Buffer.compare(view, stamp) !== 0) throw new Violation("overwrite", `${name}: its bytes changed`);
  }
}
