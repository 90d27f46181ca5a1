/** Waiting calls of one thread, served in the order they were made. */
import { type AbortSignalLike, LONGEST_TIMER_MS, timeLeft } from "../threads/index.js";

/** A call's place in the line. */
export interface Ticket {
  before: Ticket | undefined;
  behind: Ticket | undefined;
  /** Ends the wait of whoever holds the ticket; nothing before it has waited, and after its wait has ended. */
  call: (() => void) | undefined;
}

/**
 * Only the first in line looks at shared words and waits for them. Everybody behind it waits on a promise, with no timer
 * but its own deadline: a thousand of them cost nothing until one leaves, and that one calls one. A linked list, because
 * a call may be given up anywhere in the line.
 */
export class Turns {
  private first: Ticket | undefined;
  private last: Ticket | undefined;

  /** Whether a call is waiting: a new one has to queue behind it. */
  get busy(): boolean {
    return this.first !== undefined;
  }

  join(): Ticket {
    const ticket: Ticket = { before: this.last, behind: undefined, call: undefined };
    if (this.last === undefined) this.first = ticket;
    else this.last.behind = ticket;
    this.last = ticket;
    return ticket;
  }

  isFirst(ticket: Ticket): boolean {
    return this.first === ticket;
  }

  /** Takes the ticket out of the line; once. The one behind the first is first now, and called. */
  leave({ before, behind }: Ticket): void {
    if (behind === undefined) this.last = before;
    else behind.before = before;
    if (before !== undefined) {
      before.behind = behind;
      return;
    }
    this.first = behind;
    behind?.call?.();
  }

  /**
   * Until it is the ticket's turn or the deadline is over; which of them, if any, the caller has to look. Rejects with the
   * signal's reason when that aborts meanwhile. The timer and the listener belong to this call, which takes them away
   * itself: whoever leaves does nothing here but resolve a promise, so that nothing of this call can make it fail.
   */
  async turn(ticket: Ticket, deadline: number, signal: AbortSignalLike | undefined): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let onAbort: (() => void) | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        onAbort = () => reject(signal?.reason);
        signal?.addEventListener("abort", onAbort);
        if (deadline !== Number.POSITIVE_INFINITY)
          timer = setTimeout(resolve, timeLeft(deadline, LONGEST_TIMER_MS));
        ticket.call = resolve;
      });
    } finally {
      clearTimeout(timer);
      if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
    }
  }
}
