/** Regular points in time. */
import { setTimeout as sleep } from "node:timers/promises";

/** Points `intervalMs` apart, counted from now: work in between does not shift them; those it has missed are left out. */
export class Pace {
  readonly #intervalMs: number;
  #next: number;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
    this.#next = performance.now() + intervalMs;
  }

  /** Resolves at the next point, or at once when `signal` is aborted; false then. */
  async wait(signal: AbortSignal): Promise<boolean> {
    const now = performance.now();
    const late = now - this.#next;
    if (late >= 0) this.#next += this.#intervalMs * (Math.floor(late / this.#intervalMs) + 1);
    const target = this.#next;
    this.#next += this.#intervalMs;
    try {
      await sleep(target - now, undefined, { signal });
      return true;
    } catch {
      return false;
    }
  }
}
