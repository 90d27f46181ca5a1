/** Reaping by itself when a watched worker exits. */
import { InvalidTypeError } from "../errors.js";
import { loadSeq } from "../memory/atomics.js";
import type { Attachment } from "../memory/attachment.js";
import { seatAt } from "../memory/layout.js";
import { SEAT_THREAD, SEAT_WORD } from "../memory/offsets.js";
import { describe } from "../memory/size-classes.js";
import type { HeapRef, WorkerLike } from "../types.js";
import {
  SEAT_LIVE,
  SEAT_REAPING,
  SEAT_SUSPECT,
  seatIncarnation,
  seatState,
  seatWho,
} from "../words/seat-word.js";
import { reapSeat } from "./reap.js";
import { type ThreadTag, whoOf } from "./seat.js";

/** Web Workers report no exit: `terminate()` is taken as death after this long. */
const TERMINATE_GRACE_MS = 250;
/** Another thread is reaping one of the seats: look again after this long, this often. */
const BUSY_RETRY_MS = 50;
const BUSY_RETRIES = 20;

/** Threads that are watched and have not exited: reaping one of them is refused. */
export type WatchedThreads = Set<ThreadTag>;

/** Arranges that every seat of `worker` is reaped by `a` when the worker is gone. */
export function watchWorker(
  a: Attachment,
  watched: WatchedThreads,
  worker: WorkerLike,
  ref: HeapRef | undefined,
): void {
  // Each property is read once: a getter may answer otherwise the next time.
  const given: Partial<WorkerLike> = typeof worker === "object" && worker !== null ? worker : {};
  const { threadId, once, terminate } = given;
  if (typeof terminate !== "function") {
    throw new InvalidTypeError(`watch: expected a Worker; got ${describe(worker)}.`);
  }
  if (typeof threadId === "number" && threadId >= 0 && typeof once === "function") {
    // The id is gone from the object by the time it has exited.
    const thread = threadId + 1;
    let exited = false;
    const onExit = (): void => {
      exited = true;
      watched.delete(thread);
      reapThread(a, thread, BUSY_RETRIES);
    };
    Reflect.apply(once, worker, ["exit", onExit]);
    // Not before: if `once` throws nobody hears of the exit, and the seats of a watched thread cannot be reaped by hand.
    if (!exited) watched.add(thread);
    return;
  }
  const token = tokenOf(ref);
  const reapLater = (): void => {
    setTimeout(() => reapThread(a, -token, BUSY_RETRIES), TERMINATE_GRACE_MS);
  };
  const replaced = Reflect.set(worker, "terminate", () => {
    const result: unknown = Reflect.apply(terminate, worker, []);
    reapLater();
    return result;
  });
  if (!replaced) {
    throw new InvalidTypeError(
      "watch: this worker reports no exit event, and its terminate() cannot be replaced to learn of its end; reap() its seat yourself.",
    );
  }
}

/** The token of the ref that a worker without thread id was given. */
function tokenOf(ref: unknown): number {
  const given: Partial<HeapRef> = typeof ref === "object" && ref !== null ? ref : {};
  const { token } = given;
  if (typeof token === "number" && Number.isSafeInteger(token) && token > 0) return token;
  throw new InvalidTypeError(
    `watch: this worker reports no thread id or exit event; pass the HeapRef made for it by share() as second argument; got ${describe(ref)}.`,
  );
}

/** Reaps every seat of a dead thread; returns how many. */
export function reapThread(a: Attachment, thread: ThreadTag, retries: number): number {
  if (a.detached) return 0;
  const { m, layout } = a;
  let reaped = 0;
  let busy = false;
  for (let seat = 1; seat <= layout.maxWorkers; seat++) {
    const word = loadSeq(m, seatAt(layout, seat) + SEAT_WORD);
    const state = seatState(word);
    if (state !== SEAT_LIVE && state !== SEAT_SUSPECT) {
      if (state === SEAT_REAPING) busy = true;
      continue;
    }
    if (seatWho(word) !== whoOf(thread)) continue;
    // 14 bits can coincide; the full id decides where the thread lived long enough to store it.
    const full = loadSeq(m, seatAt(layout, seat) + SEAT_THREAD);
    if (full !== 0 && full !== thread) continue;
    const report = reapSeat(a, seat, seatIncarnation(word));
    if (report.status === "reaped") reaped++;
    else if (report.status === "busy") busy = true;
  }
  if (busy && retries > 0) setTimeout(() => reapThread(a, thread, retries - 1), BUSY_RETRY_MS);
  return reaped;
}
