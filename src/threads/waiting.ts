/**
 * Waiting until a shared word differs from a value: blocking the thread, or as a promise.
 *
 * What was measured on Node 20, 22, 24 and 26, Deno 2 and Bun 1: `Atomics.waitAsync` exists everywhere; a notify from
 * another thread wakes an idle event loop within 0.1 to 1.5 ms; a pending wait keeps no process and no worker alive; an
 * engine's waiter cannot be cancelled, and on Deno one of a terminated worker still takes a notification. Hence:
 *
 * - `wake` notifies all waiters, never one: the one could be dead.
 * - `waitAsync` has a timer of its own, which keeps the process alive while somebody waits and looks at the word every
 *   {@link RECHECK_MS}: a notification that does not come costs that long, nothing else.
 * - Who stops waiting (timeout, abort) takes the engine's waiter away by notifying the word. Others who wait for it look
 *   once more and go on waiting.
 */
import { InvalidTypeError, loadSeq } from "../allocator/index.js";

import type { AbortSignalLike, WaitOptions } from "./options.js";

/** Timers cannot be set further ahead. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** A wait looks at its word at least this often: the most a lost notification costs. */
export const RECHECK_MS = 50;
/** Where `Atomics.waitAsync` is missing: the first look comes after this long, each later one after twice as long. */
const FIRST_LOOK_MS = 1;

/** Milliseconds on a clock that does not jump; the end of a wait that begins now. */
export function deadlineAfter(timeoutMs: number | undefined): number {
  return timeoutMs === undefined || timeoutMs === Number.POSITIVE_INFINITY
    ? Number.POSITIVE_INFINITY
    : performance.now() + timeoutMs;
}

/** Milliseconds left, at least 0 and at most `most`. */
export function timeLeft(deadline: number, most = Number.POSITIVE_INFINITY): number {
  if (deadline === Number.POSITIVE_INFINITY) return most;
  return Math.min(most, Math.max(0, deadline - performance.now()));
}

/**
 * Blocks the thread until word `i` differs from `value`, at most `timeoutMs` milliseconds; true when it differs. A word
 * that differs and returns to the value in between may go unnoticed. Throws {@link InvalidTypeError} where the thread
 * must not block (a browser's main thread), naming `instead`, the method to await there.
 */
export function waitBlocking(
  m: Int32Array,
  i: number,
  value: number,
  timeoutMs: number = Number.POSITIVE_INFINITY,
  instead = "waitAsync",
): boolean {
  const deadline = deadlineAfter(timeoutMs);
  for (;;) {
    if (loadSeq(m, i) !== value) return true;
    const ms = timeLeft(deadline);
    if (ms === 0) return false;
    try {
      Atomics.wait(m, i, value, ms);
    } catch (cause) {
      const error = new InvalidTypeError(
        `This thread must not block (as a browser's main thread): await ${instead}() there, or call this in a worker.`,
      );
      error.cause = cause;
      throw error;
    }
  }
}

/** Wakes everybody who waits for word `i`, in whatever way; how many the engine knew of. Call it after changing the word. */
export function wake(m: Int32Array, i: number): number {
  return Atomics.notify(m, i);
}

/**
 * Resolves to true as soon as word `i` differs from `value`, to false after `timeoutMs`; rejects with the signal's reason
 * when that aborts. Keeps the process alive meanwhile, and leaves no timer, listener or waiter behind. A word that
 * differs and returns to the value in between may go unnoticed.
 */
export function waitAsync(
  m: Int32Array,
  i: number,
  value: number,
  { timeoutMs, signal }: WaitOptions = {},
): Promise<boolean> {
  if (signal?.aborted === true) return Promise.reject(signal.reason);
  if (loadSeq(m, i) !== value) return Promise.resolve(true);
  if (timeoutMs !== undefined && timeoutMs <= 0) return Promise.resolve(false);
  return new Promise((resolve, reject) => {
    new AsyncWait(m, i, value, deadlineAfter(timeoutMs), signal, resolve, reject).start();
  });
}

class AsyncWait {
  private readonly m: Int32Array;
  private readonly i: number;
  private readonly value: number;
  private readonly deadline: number;
  private readonly signal: AbortSignalLike | undefined;
  private readonly resolve: (differs: boolean) => void;
  private readonly reject: (reason: unknown) => void;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private interval = 0;
  private ended = false;
  /** The engine holds a waiter of ours. */
  private engaged = false;

  constructor(
    m: Int32Array,
    i: number,
    value: number,
    deadline: number,
    signal: AbortSignalLike | undefined,
    resolve: (differs: boolean) => void,
    reject: (reason: unknown) => void,
  ) {
    this.m = m;
    this.i = i;
    this.value = value;
    this.deadline = deadline;
    this.signal = signal;
    this.resolve = resolve;
    this.reject = reject;
  }

  start(): void {
    this.signal?.addEventListener("abort", this.onAbort);
    this.look();
  }

  /** Looks at the word; while it has the value, waits for a notification and for the timer, whichever is first. */
  private look(): void {
    if (this.ended) return;
    if (!this.engaged && typeof Atomics.waitAsync === "function") {
      // Compares in the same step: a change before it is seen here, one after it notifies this waiter.
      const wait = Atomics.waitAsync(this.m, this.i, this.value);
      if (wait.async) {
        this.engaged = true;
        wait.value.then(this.onNotified, this.onNotified);
      }
    }
    if (loadSeq(this.m, this.i) !== this.value) {
      this.end();
      this.resolve(true);
      return;
    }
    if (timeLeft(this.deadline) === 0) {
      this.end();
      this.resolve(false);
      return;
    }
    this.interval = this.engaged
      ? RECHECK_MS
      : Math.min(RECHECK_MS, Math.max(FIRST_LOOK_MS, this.interval * 2));
    clearTimeout(this.timer);
    this.timer = setTimeout(this.onTimer, timeLeft(this.deadline, this.interval));
  }

  private readonly onTimer = (): void => this.look();

  private readonly onNotified = (): void => {
    this.engaged = false;
    this.look();
  };

  private readonly onAbort = (): void => {
    if (this.ended) return;
    this.end();
    this.reject(this.signal?.reason);
  };

  private end(): void {
    this.ended = true;
    clearTimeout(this.timer);
    this.signal?.removeEventListener("abort", this.onAbort);
    // The engine's waiter would stay with its promise until somebody notifies the word, which may be never.
    if (this.engaged) wake(this.m, this.i);
  }
}
