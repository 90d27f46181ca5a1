/**
 * Views of the heap's bytes: made by the runtime's own class, and kept for those places a pool comes back to.
 *
 * A new view costs more than the allocation it shows (30-40 ns and 100 bytes for the collector), so a loop that gets the
 * same places again gets the same views again. The cache is a table without chains: place and length have one entry,
 * which whoever comes later takes over. An entry keeps a view only when it is asked for the second time in a row: sizes
 * that never repeat would fill the table with views nobody asks for again, which the collector then has to carry. Slots
 * of a slab have neighbouring entries, slabs are spread, and so are lengths: a few thousand buffers of few sizes hardly
 * ever meet.
 *
 * Why the slot in the handle and the length name the place: `alloc(length)` always takes the smallest class that fits, and
 * the n-th slot of a slab of that class lies where it lies. So only what was allocated with exactly that length may be
 * looked up here.
 */
import { type Handle, type SlabHeap, StaleHandleError } from "../allocator/index.js";

/** A class of views over bytes, such as `Uint8Array`. */
type ByteView = new (buffer: SharedArrayBuffer, byteOffset: number, length: number) => Uint8Array;

/** What is needed of Node's `Buffer`, which Deno and Bun have too. */
interface BufferClass {
  readonly prototype: object;
  readonly [Symbol.species]?: ByteView;
  from(buffer: SharedArrayBuffer, byteOffset: number, length: number): Uint8Array;
}

/** The slot number in a handle: see allocator/words/handle.ts. A test compares them. */
export const SLOT_FIELD = 0x3ff_ffff;

export class Views {
  hits = 0;
  misses = 0;
  private readonly heap: SlabHeap;
  private readonly buffer: SharedArrayBuffer;
  private readonly View: ByteView;
  /** Two words per entry: slot and length. No length is 0, so a fresh entry matches nothing. */
  private readonly keys: Int32Array;
  private readonly views: (Uint8Array | undefined)[];
  private readonly mask: number;

  /** `entries`: a power of two, or 0 to keep nothing. */
  constructor(heap: SlabHeap, entries: number) {
    this.heap = heap;
    this.buffer = heap.buffer;
    this.View = viewClass();
    this.mask = Math.max(entries, 1) - 1;
    this.keys = new Int32Array(2 * entries);
    this.views = new Array<undefined>(entries).fill(undefined);
  }

  /**
   * The bytes of an object that was allocated with exactly `length`; the view of last time if there is one. Undefined
   * when the object ended meanwhile, discarded by another thread. Throws, with the object freed, when the runtime has no
   * memory for another view.
   */
  of(handle: Handle, length: number): Uint8Array | undefined {
    const slot = handle & SLOT_FIELD;
    const entry = (slot + Math.imul(slot >>> 12, 2531) + (Math.imul(length, 0x9e37_79b1) >>> 16)) & this.mask;
    const { keys } = this;
    if (keys[2 * entry] === slot && keys[2 * entry + 1] === length) {
      const view = this.views[entry];
      if (view !== undefined) {
        this.hits++;
        return view;
      }
      return this.keep(entry, handle, length);
    }
    return this.replace(entry, slot, handle, length);
  }

  /** As {@link of}, for an object of whatever length, by a view of its own. */
  once(handle: Handle, length: number): Uint8Array | undefined {
    try {
      return this.fresh(handle, length);
    } catch (error) {
      if (error instanceof StaleHandleError) return undefined;
      this.heap.free(handle);
      throw error;
    }
  }

  /** The bytes of any object, by a view of its own. Throws {@link StaleHandleError} when it has ended. */
  fresh(handle: Handle, length: number): Uint8Array {
    this.misses++;
    return new this.View(this.buffer, this.heap.byteOffset(handle), length);
  }

  private keep(entry: number, handle: Handle, length: number): Uint8Array | undefined {
    const view = this.once(handle, length);
    this.views[entry] = view;
    return view;
  }

  private replace(entry: number, slot: number, handle: Handle, length: number): Uint8Array | undefined {
    const view = this.once(handle, length);
    if (this.keys.length > 0) {
      this.keys[2 * entry] = slot;
      this.keys[2 * entry + 1] = length;
      if (this.views[entry] !== undefined) this.views[entry] = undefined;
    }
    return view;
  }
}

/**
 * `Buffer` where there is one. Its species makes views of shared memory without the checks of `Buffer.from`, at the cost
 * of a plain `Uint8Array`; where it does not, `Buffer.from` does.
 */
function viewClass(): ByteView {
  const buffer = (globalThis as { Buffer?: BufferClass }).Buffer;
  if (buffer === undefined) return Uint8Array;
  const species = buffer[Symbol.species];
  try {
    if (species !== undefined && isBufferView(new species(new SharedArrayBuffer(8), 2, 3), buffer))
      return species;
  } catch {
    // A species that cannot be used like that is as good as none.
  }
  return function bufferFrom(memory: SharedArrayBuffer, byteOffset: number, length: number): Uint8Array {
    return buffer.from(memory, byteOffset, length);
  } as unknown as ByteView;
}

function isBufferView(view: Uint8Array, buffer: BufferClass): boolean {
  return Object.getPrototypeOf(view) === buffer.prototype && view.byteOffset === 2 && view.length === 3;
}
