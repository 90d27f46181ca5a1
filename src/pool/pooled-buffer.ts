/** What a pool hands out. */
import type { Handle, StaleHandleError } from "../allocator/index.js";
import type { PermitRef } from "./permits.js";

/** Names a detached buffer; survives structured cloning. See {@link PooledBuffer.detach} and `BufferPool.adopt`. */
export interface PooledRef {
  readonly handle: Handle;
  /** Bytes the buffer had: from 1 to what the object has room for. */
  readonly byteLength: number;
  /** The permit that travels along, when the sender's pool has `maxBuffers`. */
  readonly permit?: PermitRef;
}

/** Options of {@link PooledBuffer.detach}. */
export interface DetachOptions {
  /**
   * Send the permit along; whoever adopts the buffer takes it over. With false it goes back at once, and the adopter's
   * pool needs one of its own: for a handle that travels as a plain number. Default true.
   */
  permit?: boolean;
}

/** The pool, as its buffers see it. */
export interface Keeper {
  /** @internal */ takeBack(buffer: PooledBuffer, bytes: Uint8Array): boolean;
  /** @internal */ letGo(buffer: PooledBuffer, options: DetachOptions | undefined): PooledRef;
  /** @internal */ gone(method: string): StaleHandleError;
}

/** Buffers that end with a domain, as a list that any of them leaves in one step. */
export interface BufferGroup {
  first: PooledBuffer | undefined;
}

/**
 * One acquired buffer, until it is released. A new object every time, so that releasing an old one again cannot touch
 * whoever has the memory by then. Belongs to the thread that acquired or adopted it.
 */
export class PooledBuffer implements Disposable {
  /** Names the object in the heap: pass it to other threads, or to any method of the heap. */
  readonly handle: Handle;
  /** Length of {@link bytes}, also after release. */
  readonly byteLength: number;
  /** @internal */ readonly permit: number;
  /** @internal */ group: BufferGroup | undefined = undefined;
  /** @internal */ before: PooledBuffer | undefined = undefined;
  /** @internal */ after: PooledBuffer | undefined = undefined;
  private readonly keeper: Keeper;
  private shown: Uint8Array | undefined;

  /** @internal */
  constructor(keeper: Keeper, handle: Handle, bytes: Uint8Array, permit: number) {
    this.handle = handle;
    this.byteLength = bytes.length;
    this.permit = permit;
    this.keeper = keeper;
    this.shown = bytes;
  }

  /**
   * The bytes, on the heap's shared memory; a Node `Buffer` where the runtime has one. The same object each time. Throws
   * {@link StaleHandleError} after {@link release} or {@link detach}. Bytes kept beyond that show whatever lives there
   * next, and writing to them damages it, as with every pool; never the allocator itself.
   */
  get bytes(): Uint8Array {
    if (this.shown === undefined) throw this.keeper.gone("bytes");
    return this.shown;
  }

  /** True once the buffer was released or detached. */
  get released(): boolean {
    return this.shown === undefined;
  }

  /**
   * Gives the buffer back. Returns true once, then false; false also when the object had been freed behind the pool's
   * back, for example discarded with its epoch, and when the heap was detached (the object then stays allocated).
   */
  release(): boolean {
    const bytes = this.shown;
    if (bytes === undefined) return false;
    this.shown = undefined;
    if (this.group !== undefined) leaveGroup(this, this.group);
    return this.keeper.takeBack(this, bytes);
  }

  /**
   * Gives the buffer up without freeing it, for another thread: send what this returns and pass it to that thread's
   * `pool.adopt`. Until it is adopted nobody releases it, and it counts against `maxBuffers` for as long as this thread
   * is attached. Throws {@link StaleHandleError} after release.
   */
  detach(options?: DetachOptions): PooledRef {
    if (this.shown === undefined) throw this.keeper.gone("detach");
    const ref = this.keeper.letGo(this, options);
    this.shown = undefined;
    if (this.group !== undefined) leaveGroup(this, this.group);
    return ref;
  }

  /** Same as {@link release}. */
  [Symbol.dispose](): void {
    this.release();
  }
}

/** Makes `buffer` one of those that end with the group. */
export function joinGroup(buffer: PooledBuffer, group: BufferGroup): void {
  buffer.group = group;
  buffer.after = group.first;
  if (group.first !== undefined) group.first.before = buffer;
  group.first = buffer;
}

function leaveGroup(buffer: PooledBuffer, group: BufferGroup): void {
  const { before, after } = buffer;
  if (before === undefined) group.first = after;
  else before.after = after;
  if (after !== undefined) after.before = before;
  buffer.group = undefined;
  buffer.before = undefined;
  buffer.after = undefined;
}
