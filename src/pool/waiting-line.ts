/**
 * Who waits for a buffer in one thread, first come first served.
 *
 * Only the first in line tries; the others wait behind it, also where a smaller request would do. It sleeps until a
 * permit is given back (permits.ts wakes it), or, when the heap is full, until a timer says to look again: frees
 * elsewhere in the heap wake nobody. A release in this thread has it look at once in any case.
 */
import { type AbortSignalLike, LONGEST_TIMER_MS } from "../threads/index.js";
import type { Scope } from "./domains.js";
import type { Permits } from "./permits.js";
import type { PooledBuffer } from "./pooled-buffer.js";
import type { Refusal } from "./refusal.js";

/** What somebody asked for. */
export interface Request {
  readonly size: number;
  readonly scope: Scope | undefined;
  /** Where it was asked for; debug mode only. */
  readonly origin: string;
}

/** How long, and until when. */
export interface Patience {
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignalLike | undefined;
  /** Makes the error of a wait that took too long; told what the first in line waits for. */
  tooLong(refusal: Refusal): Error;
}

interface Waiter extends Request {
  readonly resolve: (buffer: PooledBuffer) => void;
  readonly reject: (reason: unknown) => void;
  /** Takes the timer and the listener away. */
  readonly forget: () => void;
}

const FIRST_LOOK_MS = 1;
const LAST_LOOK_MS = 50;

export class WaitingLine {
  private readonly line = new Set<Waiter>();
  private readonly attempt: (request: Request) => PooledBuffer | Refusal;
  private readonly permits: Permits | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private call: CallOff | undefined;
  private lookAfterMs = FIRST_LOOK_MS;
  /** What the first in line was told last. */
  private refusal: Refusal = "exhausted";
  private kicked = false;
  private serving = false;

  constructor(permits: Permits | undefined, attempt: (request: Request) => PooledBuffer | Refusal) {
    this.permits = permits;
    this.attempt = attempt;
  }

  get length(): number {
    return this.line.size;
  }

  /** Goes to the end of the line. */
  join(request: Request, { timeoutMs, signal, tooLong }: Patience): Promise<PooledBuffer> {
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const giveUp = (reason: () => unknown) => (): void => {
        this.leave(waiter);
        reject(reason());
        // The one behind may want less.
        this.serve();
      };
      const onAbort = giveUp(() => signal?.reason);
      const forget = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      };
      const waiter: Waiter = { ...request, resolve, reject, forget };
      this.line.add(waiter);
      signal?.addEventListener("abort", onAbort);
      if (timeoutMs !== undefined && timeoutMs <= LONGEST_TIMER_MS)
        timer = setTimeout(
          giveUp(() => tooLong(this.refusal)),
          timeoutMs,
        );
      if (this.line.size === 1) this.serve();
    });
  }

  /** Something was given back in this thread: the first in line looks again before anything else happens. */
  kick(): void {
    if (this.kicked) return;
    this.kicked = true;
    queueMicrotask(() => {
      this.kicked = false;
      this.serve();
    });
  }

  /** Sends everybody away. */
  dismiss(reason: unknown): void {
    for (const waiter of this.line) {
      this.leave(waiter);
      waiter.reject(reason);
    }
    this.wakeUp();
  }

  private leave(waiter: Waiter): void {
    // Who is first now has not waited for the heap yet: the wait of its predecessor says nothing about its own.
    const [first] = this.line;
    if (first === waiter) this.lookAfterMs = FIRST_LOOK_MS;
    this.line.delete(waiter);
    waiter.forget();
  }

  private serve(): void {
    // A domain of the user's may abort, dispose or acquire inside an attempt. The loop below sees whoever left or came.
    if (this.serving) return;
    this.serving = true;
    try {
      this.wakeUp();
      for (const waiter of this.line) if (!this.serveOne(waiter)) return;
    } finally {
      this.serving = false;
    }
  }

  /** False when there is nothing for it, and nothing to do but to sleep. */
  private serveOne(waiter: Waiter): boolean {
    let seen: number | undefined;
    try {
      let got = this.attempt(waiter);
      if (got === "exhausted" && this.permits !== undefined) {
        // Announced first, looked second: see permits.ts.
        seen = this.permits.announce();
        got = this.attempt(waiter);
      }
      if (!this.line.has(waiter)) {
        // It gave up during the attempt, and nobody else has the buffer.
        if (typeof got !== "string") got.release();
        return true;
      }
      if (got === "exhausted" || got === "out-of-memory") {
        this.refusal = got;
        this.sleep(got === "exhausted" ? seen : undefined);
        return false;
      }
      this.leave(waiter);
      waiter.resolve(got);
    } catch (error) {
      this.leave(waiter);
      waiter.reject(error);
    }
    return true;
  }

  /** Until a permit is given back since `seen`, or without that for a while that grows. */
  private sleep(seen: number | undefined): void {
    if (seen !== undefined && this.permits !== undefined) {
      const call = new CallOff();
      this.call = call;
      this.permits.called(seen, call).then(
        () => {
          if (this.call === call) this.serve();
        },
        () => {
          // Called off.
        },
      );
      return;
    }
    this.timer = setTimeout(() => {
      // Only what waited its time out waits longer next: kicks and those who give up look early, and prove nothing.
      this.lookAfterMs = Math.min(LAST_LOOK_MS, this.lookAfterMs * 2);
      this.serve();
    }, this.lookAfterMs);
  }

  /** Nothing of a sleep is left afterwards, so that nothing keeps the process alive once nobody waits. */
  private wakeUp(): void {
    clearTimeout(this.timer);
    const { call } = this;
    this.call = undefined;
    call?.abort();
  }
}

/** The least that can abort a wait. */
class CallOff implements AbortSignalLike {
  aborted = false;
  readonly reason = "called off";
  private listener: (() => void) | undefined;

  addEventListener(_type: "abort", listener: () => void): void {
    this.listener = listener;
  }

  removeEventListener(): void {
    this.listener = undefined;
  }

  abort(): void {
    this.aborted = true;
    this.listener?.();
  }
}
