/** The async iterator of a ring. */
import { type Handle, NULL_HANDLE } from "../allocator/index.js";
import type { AbortSignalLike } from "../threads/index.js";

/** What a wait is given up with when its iterator is ended; nobody outside sees it. */
const ENDED = new Error("the iterator was ended");

/** A signal without `AbortController`, which not every runtime's types have: aborted once, by the iterator. */
class EndSignal implements AbortSignalLike {
  aborted = false;
  readonly reason = ENDED;
  private readonly listeners = new Set<() => void>();

  addEventListener(_type: "abort", listener: () => void): void {
    this.listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.listeners.delete(listener);
  }

  abort(): void {
    this.aborted = true;
    for (const listener of [...this.listeners]) listener();
  }
}

/**
 * Written out instead of an async generator: `return()` of that would wait behind a pending `next()`, which waits for a
 * handle that may never come.
 */
export class HandleIterator implements AsyncIterableIterator<Handle> {
  private readonly receive: (signal: AbortSignalLike) => Promise<Handle>;
  private readonly end = new EndSignal();

  constructor(receive: (signal: AbortSignalLike) => Promise<Handle>) {
    this.receive = receive;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Handle, undefined>> {
    if (this.end.aborted) return { done: true, value: undefined };
    try {
      const value = await this.receive(this.end);
      if (value !== NULL_HANDLE) return { done: false, value };
    } catch (error) {
      if (error !== ENDED) throw error;
    }
    return { done: true, value: undefined };
  }

  /** Ends the iterator; a `next()` that waits answers that it is done, and takes no handle. */
  async return(): Promise<IteratorResult<Handle, undefined>> {
    this.end.abort();
    return { done: true, value: undefined };
  }
}
