/** How long a worker goes on trying while other threads keep closing the epoch under it. */
import type { Control } from "./control.js";

/** So many refusals in a row are ordinary: other threads close epochs all the time. */
const AT_ONCE = 1000;
/** A thread that is half-way through a close may have lost its core: give it time to come back. */
const PAUSE_MS = 1;
/** By then nobody is half-way through a close any more; the heap is stuck. */
const LIMIT_MS = 10_000;

/** Counts refusals in a row; `refused` returns when it makes sense to try again. */
export class Patience {
  readonly #control: Control;
  #refusals = 0;
  #since = 0;

  constructor(control: Control) {
    this.#control = control;
  }

  served(): void {
    this.#refusals = 0;
  }

  refused(what: string): void {
    if (this.#refusals++ === 0) this.#since = performance.now();
    if (this.#refusals < AT_ONCE) return;
    const waited = performance.now() - this.#since;
    if (waited > LIMIT_MS) {
      throw new Error(
        `${what}: the current epoch was closed ${this.#refusals} times in a row, for ${LIMIT_MS / 1000} s`,
      );
    }
    this.#control.pause(PAUSE_MS);
  }
}
