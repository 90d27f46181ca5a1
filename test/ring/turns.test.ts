/**
 * Defends: calls that wait in one thread form a line. Only its first looks at shared words and only the next is called
 * when one leaves, so that n calls cost n; whoever is given up, wherever in the line, is served nothing; a close ends all
 * of them; nobody leaves a timer, a listener or a place behind.
 * Method: counts of waits, timers and looks with hundreds of calls; signals that abort at the moment a wait has ended;
 * random calls, aborts and timeouts against what their promises answered. Another thread's close: threads.test.ts.
 */
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { SlabHeap } from "../../src/allocator/heap/heap.js";
import { HandleRing } from "../../src/ring/index.js";
import { Turns } from "../../src/ring/turns.js";
import type { AbortSignalLike } from "../../src/threads/index.js";
import { forged } from "../allocator/support.js";
import { testSeed } from "../model/seed.js";

const PATIENCE = { timeout: 120_000 };
const heap = SlabHeap.create({ capacity: 2 ** 20 });
const make = (): HandleRing => HandleRing.create(heap, { capacity: 2 });
/** A ring without room. */
function full(): HandleRing {
  const ring = make();
  ring.trySendMany([forged(1001), forged(1002)]);
  return ring;
}

/** Counts who listens; can abort by itself when a listener goes, which is when a wait has ended and nobody was told. */
class Signal implements AbortSignalLike {
  aborted = false;
  readonly reason = "given up";
  abortWhenReleased = false;
  readonly listeners = new Set<() => void>();

  addEventListener(_type: "abort", listener: () => void): void {
    this.listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.listeners.delete(listener);
    if (this.abortWhenReleased) this.aborted = true;
  }

  abort(): void {
    this.aborted = true;
    for (const listener of [...this.listeners]) listener();
  }
}

/** The timers that were set and have neither fired nor been cleared. */
function watchTimers(): Set<unknown> {
  const set = new Set<unknown>();
  const { setTimeout: begin, clearTimeout: end } = globalThis;
  vi.spyOn(globalThis, "setTimeout").mockImplementation(((callback: () => void, ms?: number) => {
    const timer = begin(() => {
      set.delete(timer);
      callback();
    }, ms);
    set.add(timer);
    return timer;
  }) as typeof setTimeout);
  vi.spyOn(globalThis, "clearTimeout").mockImplementation((timer) => {
    set.delete(timer);
    end(timer as NodeJS.Timeout);
  });
  return set;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("the line itself", () => {
  test("against an array: who is first, and who is called", () => {
    const step = fc.record({ join: fc.boolean(), at: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const turns = new Turns();
        const line: ReturnType<Turns["join"]>[] = [];
        for (const { join, at } of steps) {
          if (join) line.push(turns.join());
          else if (line.length > 0) {
            const calls = line.map((ticket) => {
              const call = vi.fn();
              ticket.call = call;
              return call;
            });
            const who = at % line.length;
            const [gone] = line.splice(who, 1);
            turns.leave(gone as (typeof line)[number]);
            expect(calls.map(({ mock }) => mock.calls.length)).toEqual(
              calls.map((_, i) => (who === 0 && i === 1 ? 1 : 0)),
            );
          }
          expect(turns.busy).toBe(line.length > 0);
          expect(line.map((ticket) => turns.isFirst(ticket))).toEqual(line.map((_, i) => i === 0));
        }
      }),
      { numRuns: 300, seed: testSeed("turns") },
    );
  });

  test("a deadline beyond what timers can do is waited for", async () => {
    const turns = new Turns();
    turns.join();
    const timers = watchTimers();
    const signal = new Signal();
    const waiting = turns.turn(turns.join(), performance.now() + 2 ** 40, signal);
    let ended = false;
    waiting.catch(() => {
      ended = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect([ended, timers.size]).toEqual([false, 1]);
    signal.abort();
    await expect(waiting).rejects.toBe("given up");
    expect([timers.size, signal.listeners.size]).toEqual([0, 0]);
  });
});

describe.each(["sendAsync", "receiveAsync"] as const)("hundreds of %s", (method) => {
  const count = 300;
  const blocked = (): HandleRing => (method === "sendAsync" ? full() : make());
  const call = (ring: HandleRing, n: number, signal?: AbortSignalLike): Promise<unknown> =>
    method === "sendAsync" ? ring.sendAsync(forged(n + 1), { signal }) : ring.receiveAsync({ signal });

  test("one of them waits for a shared word, and has a timer", async () => {
    const ring = blocked();
    const waits = vi.spyOn(Atomics, "waitAsync");
    const timers = watchTimers();
    const waiting = Array.from({ length: count }, (_, n) => call(ring, n));
    expect(waits).toHaveBeenCalledTimes(1);
    expect(timers.size).toBe(1);
    ring.close();
    await Promise.all(waiting);
    if (method === "receiveAsync") expect(new Set(await Promise.all(waiting))).toEqual(new Set([0]));
    else expect(new Set(await Promise.all(waiting))).toEqual(new Set([false]));
    expect(timers.size).toBe(0);
  });

  test("each looks a few times until it is served, however many wait", PATIENCE, async () => {
    const ring = blocked();
    const looks = vi.spyOn(Turns.prototype, "isFirst");
    const waiting = Promise.all(Array.from({ length: count }, (_, n) => call(ring, n)));
    if (method === "sendAsync") {
      for (let n = 0; n < count + 2; n++) expect(await ring.receiveAsync()).toBe(n < 2 ? 1001 + n : n - 1);
      expect(new Set(await waiting)).toEqual(new Set([true]));
    } else {
      for (let n = 0; n < count; n++) expect(await ring.sendAsync(forged(n + 1))).toBe(true);
      expect(await waiting).toEqual(Array.from({ length: count }, (_, n) => n + 1));
    }
    // If each that leaves has all the others look, there are count * count / 2.
    expect(looks.mock.calls.length).toBeLessThan(20 * count);
  });

  test("one that is given up has nobody look but the one that is first then", async () => {
    const ring = blocked();
    const signals = Array.from({ length: count }, () => new Signal());
    const waiting = signals.map((signal, n) => call(ring, n, signal).catch((reason) => reason));
    const looks = vi.spyOn(Turns.prototype, "isFirst");
    const middle = signals.slice(1, -1);
    middle[100]?.abort();
    expect(await waiting[101]).toBe("given up");
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(looks.mock.calls.length, "the first may have looked again meanwhile").toBeLessThan(20);
    for (const signal of middle) signal.abort();
    expect(new Set(await Promise.all(waiting.slice(1, -1)))).toEqual(new Set(["given up"]));
    expect(middle.every(({ listeners }) => listeners.size === 0)).toBe(true);
    signals[0]?.abort();
    expect(await waiting[0]).toBe("given up");
    ring.close();
    expect(await waiting.at(-1)).toBe(method === "sendAsync" ? false : 0);
    expect(signals.every(({ listeners }) => listeners.size === 0)).toBe(true);
  });
});

describe("aborted after the wait has ended, before the call goes on", () => {
  test.each(["first", "behind"])("sendAsync, %s in line: is not sent", async (place) => {
    const ring = full();
    const signal = new Signal();
    const before = place === "first" ? undefined : ring.sendAsync(forged(1));
    const sending = ring.sendAsync(forged(2), { signal });
    const after = ring.sendAsync(forged(3));
    signal.abortWhenReleased = true;
    expect([ring.tryReceive(), ring.tryReceive()]).toEqual([1001, 1002]);
    await expect(sending).rejects.toBe("given up");
    expect(await after).toBe(true);
    if (before !== undefined) expect([await before, ring.tryReceive()]).toEqual([true, 1]);
    expect([ring.tryReceive(), ring.tryReceive()]).toEqual([3, 0]);
  });

  test.each(["first", "behind"])("receiveAsync, %s in line: takes nothing", async (place) => {
    const ring = make();
    const signal = new Signal();
    const before = place === "first" ? undefined : ring.receiveAsync();
    const receiving = ring.receiveAsync({ signal });
    const after = ring.receiveAsync();
    signal.abortWhenReleased = true;
    ring.trySendMany([forged(1), forged(2)]);
    await expect(receiving).rejects.toBe("given up");
    expect([await before, await after]).toEqual(before === undefined ? [undefined, 1] : [1, 2]);
  });
});

test("an error that one meets ends each of them, and no place stays taken", async () => {
  const own = SlabHeap.create({ capacity: 2 ** 20 });
  const ring = HandleRing.create(own, { capacity: 2 });
  const waiting = [ring.receiveAsync(), ring.receiveAsync(), ring.receiveAsync()];
  ring.leave();
  own.detach();
  for (const call of await Promise.allSettled(waiting))
    expect(call).toMatchObject({ status: "rejected", reason: { code: "ERR_TSLAB_DETACHED" } });
  await expect(ring.receiveAsync()).rejects.toMatchObject({ code: "ERR_TSLAB_DETACHED" });
});

describe("random calls, aborts and timeouts", () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("call" as const), ms: fc.nat(12) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("abort" as const), who: fc.nat(30) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("serve" as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("yield" as const), micro: fc.boolean() }) },
  );
  const scripts = fc.array(step, { maxLength: 60 });

  test.each(["sendAsync", "receiveAsync"] as const)(
    "%s: served in order, nothing lost",
    PATIENCE,
    async (method) => {
      const timers = watchTimers();
      await fc.assert(
        fc.asyncProperty(scripts, async (steps) => {
          const ring = make();
          const signals: Signal[] = [];
          const calls: Promise<unknown>[] = [];
          /** What was sent, or received, by the side that does not wait. */
          const other: number[] = [];
          const serve = (): boolean => {
            const handle =
              method === "sendAsync" ? ring.tryReceive() : ring.trySend(forged(5000 + other.length));
            if (typeof handle === "number" && handle > 0) other.push(handle);
            if (handle === true) other.push(5000 + other.length);
            return Boolean(handle);
          };
          for (const s of steps) {
            if (s.kind === "call") {
              const signal = new Signal();
              // Some at once, some soon, most without a limit.
              const timeoutMs = s.ms < 4 ? s.ms : undefined;
              const options = { signal, timeoutMs };
              const made: Promise<unknown> =
                method === "sendAsync"
                  ? ring.sendAsync(forged(calls.length + 1), options)
                  : ring.receiveAsync(options);
              signals.push(signal);
              calls.push(made.catch((reason: unknown) => reason));
            } else if (s.kind === "abort") signals[s.who % (signals.length || 1)]?.abort();
            else if (s.kind === "serve") serve();
            else if (s.micro) await Promise.resolve();
            else await new Promise((resolve) => setImmediate(resolve));
          }
          ring.close();
          const answers = await Promise.all(calls);
          if (method === "sendAsync") {
            while (serve());
            const sent = answers.flatMap((answer, n) => (answer === true ? [n + 1] : []));
            expect(other).toEqual(sent);
            expect(answers.every((a) => typeof a === "boolean" || a === "given up")).toBe(true);
          } else {
            const got = answers.filter((answer) => typeof answer === "number" && answer !== 0);
            for (let left = ring.tryReceive(); left !== 0; left = ring.tryReceive()) got.push(left);
            expect(got).toEqual(other);
            expect(answers.every((a) => typeof a === "number" || a === "given up")).toBe(true);
          }
          expect(signals.reduce((sum, { listeners }) => sum + listeners.size, 0)).toBe(0);
          expect(timers.size).toBe(0);
          ring.leave();
        }),
        { numRuns: 150, seed: testSeed(`waiting ${method}`) },
      );
    },
  );
});
