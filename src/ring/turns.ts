import { storeSeq } from "../allocator/index.js";
/** Waiting calls of one thread, served in the order they were made. */
import { type AbortSignalLike, waitAsync, wake } from "../threads/index.js";

export class Turns {
  private readonly waiting: object[] = [];
  /** Counts up as calls end. Shared only because that is what can be waited for: no other thread sees it. */
  private readonly word = new Int32Array(new SharedArrayBuffer(4));

  /** Whether a call is waiting: a new one has to queue behind it. */
  get busy(): boolean {
    return this.waiting.length > 0;
  }

  join(): object {
    const ticket = {};
    this.waiting.push(ticket);
    return ticket;
  }

  isFirst(ticket: object): boolean {
    return this.waiting[0] === ticket;
  }

  leave(ticket: object): void {
    this.waiting.splice(this.waiting.indexOf(ticket), 1);
    storeSeq(this.word, 0, ((this.word[0] as number) + 1) | 0);
    wake(this.word, 0);
  }

  /** Until some other call has ended, at most `timeoutMs`. */
  async change(timeoutMs: number, signal: AbortSignalLike | undefined): Promise<void> {
    await waitAsync(this.word, 0, this.word[0] as number, { timeoutMs, signal });
  }
}
