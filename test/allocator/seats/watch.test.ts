/**
 * Defends: a watched worker's seats, and no others, are reaped when it exits; while it runs, reaping it is refused; what
 * is no worker is refused with an explanation.
 * Method: fake workers (an event emitter with a thread id; a bare object with terminate, as in browsers), a second seat
 * relabelled as that worker's, and fake timers.
 */
import { EventEmitter } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { InvalidTypeError, SeatAliveError } from "../../../src/allocator/errors.js";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import { noteReleased } from "../../../src/allocator/heap/registry.js";
import { SEAT_THREAD, seatAt } from "../../../src/allocator/memory/layout.js";
import { whoOf } from "../../../src/allocator/seats/seat.js";
import type { WorkerLike } from "../../../src/allocator/types.js";
import { packSeat, SEAT_LIVE, SEAT_REAPING } from "../../../src/allocator/words/seat-word.js";
import { another, expectHealthy, expectWholeMemoryBack, seatWordIndex, smallHeap } from "../support.js";

class FakeWorker extends EventEmitter implements WorkerLike {
  threadId: number;
  constructor(threadId: number) {
    super();
    this.threadId = threadId;
  }
  terminate(): Promise<number> {
    this.exit();
    return Promise.resolve(1);
  }
  exit(): void {
    this.threadId = -1; // as Node does before it tells
    this.emit("exit", 0);
  }
}

let heap: SlabHeap;
beforeEach(() => {
  vi.useFakeTimers();
  heap = smallHeap();
});
afterEach(() => {
  expectWholeMemoryBack(heap);
  heap.detach();
  vi.useRealTimers();
});

/** A seat as the thread with this tag (id + 1, or minus a token) would hold it. `known`: it lived to store its full id. */
function seatOf(thread: number, known = true): SlabHeap {
  const seat = another(heap);
  heap._a.m[seatWordIndex(heap, seat.seat)] = packSeat(seat.incarnation, whoOf(thread), SEAT_LIVE);
  heap._a.m[seatAt(heap._a.layout, seat.seat) + SEAT_THREAD] = known ? thread : 0;
  return seat;
}
const states = (): string[] => heap.seats().map((seat) => seat.state);

describe("workers with a thread id", () => {
  test("every seat of the worker is reaped at its exit; others stay", () => {
    const worker = new FakeWorker(77);
    heap.watch(worker);
    const [a, b, c] = [seatOf(78), seatOf(78), seatOf(79)];
    const handles = [a.alloc(64), b.alloc(64), c.alloc(64)];
    expect(states()).toEqual(["LIVE", "LIVE", "LIVE", "LIVE"]);
    worker.exit();
    expect(states()).toEqual(["LIVE", "FREE", "FREE", "LIVE"]);
    for (const handle of handles) expect(heap.isLive(handle)).toBe(true);
    expectHealthy(heap);
    const last = new FakeWorker(78);
    heap.watch(last);
    last.exit();
    expect(states()).toEqual(["LIVE", "FREE", "FREE", "FREE"]);
  });

  test("a seat taken after watch() but killed before it stored its full id is found by its seat word", () => {
    const worker = new FakeWorker(77);
    heap.watch(worker);
    seatOf(78, false);
    worker.exit();
    expect(states()).toEqual(["LIVE", "FREE"]);
  });

  test("two threads whose ids agree in 14 bits are told apart by the full id", () => {
    const worker = new FakeWorker(77);
    heap.watch(worker);
    seatOf(78 + 2 ** 14);
    seatOf(78);
    worker.exit();
    expect(states()).toEqual(["LIVE", "LIVE", "FREE"]);
  });

  test("reap of a watched worker that has not exited is refused", () => {
    const worker = new FakeWorker(77);
    heap.watch(worker);
    const seat = seatOf(78);
    seat.detach = () => {}; // not this thread's any more
    const { incarnation } = seat;
    expect(() => heap.reap(seat.seat, incarnation)).toThrow(SeatAliveError);
    worker.exit();
    expect(heap.reap(seat.seat, incarnation).status).toBe("free");
  });

  test("an exit after the watcher detached is ignored", () => {
    const watcher = another(heap);
    const worker = new FakeWorker(77);
    watcher.watch(worker);
    seatOf(78);
    watcher.detach();
    worker.exit();
    expect(states()).toEqual(["LIVE", "FREE", "LIVE"]);
  });

  test("if the worker refuses the listener the thread is not taken for watched, and can be reaped", () => {
    const worker = new FakeWorker(77);
    worker.once = () => {
      throw new Error("its own");
    };
    const dead = seatOf(78);
    noteReleased(dead._a); // not this thread's
    expect(() => heap.watch(worker)).toThrow("its own");
    expect(heap.reap(dead.seat, dead.incarnation)).toMatchObject({ status: "reaped" });
  });

  test("a worker that tells of its exit at once is not watched any more", () => {
    const worker = new FakeWorker(77);
    worker.once = (_event: string, listener: () => void) => {
      listener();
      return worker;
    };
    seatOf(78);
    heap.watch(worker);
    expect(states()).toEqual(["LIVE", "FREE"]);
    const next = seatOf(78);
    noteReleased(next._a); // not this thread's
    expect(heap.reap(next.seat, next.incarnation)).toMatchObject({ status: "reaped" });
  });

  test("exit without any seat taken does nothing", () => {
    const worker = new FakeWorker(77);
    heap.watch(worker);
    worker.exit();
    expect(states()).toEqual(["LIVE"]);
  });

  test("a seat somebody else is reaping is looked at again later", () => {
    const worker = new FakeWorker(77);
    heap.watch(worker);
    const seat = seatOf(78);
    const index = seatWordIndex(heap, seat.seat);
    const word = heap._a.m[index];
    heap._a.m[index] = packSeat(seat.incarnation, 4, SEAT_REAPING);
    worker.exit();
    expect(states()[1]).toBe("REAPING");
    heap._a.m[index] = word;
    vi.advanceTimersByTime(60);
    expect(states()[1]).toBe("FREE");
  });
});

describe("workers without a thread id", () => {
  test("terminate() of the worker reaps the seats taken with its ref, a moment later", () => {
    const ref = heap.share();
    const terminate = vi.fn(() => "done");
    const worker: WorkerLike = { terminate };
    heap.watch(worker, ref);
    seatOf(-ref.token);
    seatOf(-ref.token - 1);
    expect(worker.terminate()).toBe("done");
    expect(terminate).toHaveBeenCalledTimes(1);
    expect(states()).toEqual(["LIVE", "LIVE", "LIVE"]);
    vi.advanceTimersByTime(1000);
    expect(states()).toEqual(["LIVE", "FREE", "LIVE"]);
  });

  test("terminate keeps its own this", () => {
    const worker = {
      stopped: false,
      terminate(): void {
        this.stopped = true;
      },
    };
    heap.watch(worker, heap.share());
    worker.terminate();
    expect(worker.stopped).toBe(true);
  });

  test("need a ref", () => {
    const refs = [
      undefined,
      null,
      5,
      "ref",
      {},
      { token: "5" },
      { token: 0 },
      { token: 0.5 },
      { token: Number.NaN },
    ];
    for (const ref of [...refs, { token: Infinity }, { token: 5n }, { token: {} }]) {
      expect(() => heap.watch({ terminate: () => 0 }, ref as never)).toThrow(InvalidTypeError);
      expect(() => heap.watch({ terminate: () => 0 }, ref as never)).toThrow("share()");
    }
  });
});

test("every property of a worker and of a ref is read once", () => {
  const reads: string[] = [];
  const readOnce = <Value extends object>(value: Value): Value =>
    new Proxy(value, {
      get(target, key) {
        if (reads.includes(String(key))) throw new Error(`${String(key)} was read again`);
        reads.push(String(key));
        return Reflect.get(target, key) as unknown;
      },
    });
  const ref = heap.share();
  heap.watch(readOnce({ terminate: () => 0 }), readOnce({ ...ref }));
  expect(reads.splice(0).sort()).toEqual(["once", "terminate", "threadId", "token"]);
  const worker = new FakeWorker(77);
  const once = worker.once.bind(worker);
  heap.watch(readOnce({ threadId: 77, once, terminate: () => 0 }));
  expect(reads).toHaveLength(3);
  worker.exit();
});

test("a worker whose terminate cannot be replaced is refused", () => {
  const worker = Object.freeze({ terminate: () => 0 });
  expect(() => heap.watch(worker, heap.share())).toThrow(InvalidTypeError);
  expect(() => heap.watch(worker, heap.share())).toThrow("terminate() cannot be replaced");
});

test("what is no worker is refused", () => {
  for (const worker of [undefined, null, 5, "w", {}, { threadId: 3 }, { terminate: 5 }, () => 0]) {
    expect(() => heap.watch(worker as never)).toThrow(InvalidTypeError);
    expect(() => heap.watch(worker as never)).toThrow("watch: expected a Worker");
  }
});
