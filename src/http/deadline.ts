/** Timers that keep no process alive, on any runtime. */

type Timer = ReturnType<typeof setTimeout>;

interface RuntimeGlobals {
  readonly Deno?: { unrefTimer?(id: number): void };
}

/** Calls `work` in `ms` milliseconds, if the process is still there. */
export function later(work: () => void, ms: number): Timer {
  const timer: unknown = setTimeout(work, ms);
  if (typeof timer === "number") (globalThis as RuntimeGlobals).Deno?.unrefTimer?.(timer);
  else (timer as { unref?(): void }).unref?.();
  return timer as Timer;
}

/** A time limit to race against. */
export class Deadline {
  /** Resolves when the time is over; never after {@link cancel}. */
  readonly passed: Promise<void>;
  #timer: Timer | undefined;

  constructor(ms: number) {
    this.passed = new Promise((resolve) => {
      this.#timer = later(resolve, ms);
    });
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }
}
