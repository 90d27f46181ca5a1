/**
 * Defends: a ring is a bounded queue per producer: what a send took is received once and in its producer's order, the rest
 * is refused; what is no handle, no option and no ring is named and nothing is done; waiting ends as documented.
 * Method: random operations on the ends of one ring against plain arrays, with counters that pass 2^31 and 2^32; every bad
 * value; promises that meet in one thread. Other threads: threads.test.ts. Every order of accesses: the explorer.
 */
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { SlabHeap } from "../../src/allocator/heap/heap.js";
import type { Handle } from "../../src/allocator/types.js";
import { HandleRing, type HandleRingRef } from "../../src/ring/index.js";
import { L_HEAD, L_TAIL, laneAt, type RingShape } from "../../src/ring/layout.js";
import { another, forged, smallHeap } from "../allocator/support.js";
import { testSeed } from "../model/seed.js";

const shapeOf = (ring: HandleRing): RingShape => (ring as unknown as { shape: RingShape }).shape;

/** Handles as large and as small as there can be. */
const some = (n: number): Handle => forged(n % 2 === 0 ? n + 1 : Number.MAX_SAFE_INTEGER - n);

afterEach(() => {
  vi.restoreAllMocks();
});

describe("against plain arrays", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("send" as const), who: fc.nat(2) }),
    fc.record({ kind: fc.constant("sendMany" as const), who: fc.nat(2), count: fc.nat(12), from: fc.nat(3) }),
    fc.record({ kind: fc.constant("receive" as const) }),
    fc.record({ kind: fc.constant("receiveMany" as const), count: fc.nat(12), typed: fc.boolean() }),
    fc.record({ kind: fc.constantFrom("leave" as const, "close" as const), who: fc.nat(2) }),
  );
  const scripts = fc.array(step, { maxLength: 150 });

  test.each([0, 2 ** 31 - 5, -7])("random operations, counted from %i", (counted) => {
    const heap = smallHeap();
    const seats = [heap, another(heap), another(heap)];
    fc.assert(
      fc.property(scripts, fc.integer({ min: 2, max: 9 }), (steps, capacity) => {
        const ring = HandleRing.create(heap, { capacity, producers: 3 });
        for (let lane = 0; lane < 3; lane++)
          for (const word of [L_TAIL, L_HEAD]) shapeOf(ring).m[laneAt(shapeOf(ring), lane) + word] = counted;
        const ends = [ring, ...seats.slice(1).map((seat) => HandleRing.attach(seat, ring.share()))];
        // Which lane each producer holds, as the ring gives them out: the lowest free one.
        const lanes: number[][] = [[], [], []];
        const holders: (number | undefined)[] = [undefined, undefined, undefined];
        const laneOf = (who: number): number[] => {
          let lane = holders.indexOf(who);
          if (lane < 0) lane = holders.indexOf(undefined);
          holders[lane] = who;
          return lanes[lane] as number[];
        };
        let next = 0;
        let closed = false;
        /** What comes must be the oldest of some lane. */
        const take = (handle: number): void => {
          const lane = lanes.find(([oldest]) => oldest === handle);
          expect(lane, `received ${handle}`).toBeDefined();
          lane?.shift();
        };
        for (const s of steps) {
          const all = lanes.flat().length;
          if (s.kind === "send") {
            const fits = !closed && laneOf(s.who).length < ring.capacity;
            const handle = some(next++);
            expect((ends[s.who] as HandleRing).trySend(handle)).toBe(fits);
            if (fits) laneOf(s.who).push(handle);
          } else if (s.kind === "sendMany") {
            const handles = Array.from({ length: s.count + s.from }, () => some(next++));
            const given = s.count % 2 === 0 ? handles : (new Float64Array(handles) as unknown as Handle[]);
            const end = ends[s.who] as HandleRing;
            const fit = closed || s.count === 0 ? 0 : Math.min(s.count, ring.capacity - laneOf(s.who).length);
            expect(end.trySendMany(given, s.from)).toBe(fit);
            if (fit > 0) laneOf(s.who).push(...handles.slice(s.from, s.from + fit));
          } else if (s.kind === "receive") {
            const handle = ring.tryReceive();
            expect(handle !== 0).toBe(all > 0);
            if (handle !== 0) take(handle);
          } else if (s.kind === "receiveMany") {
            const into: Handle[] | Float64Array = s.typed ? new Float64Array(s.count) : [];
            const count = ring.tryReceiveMany(into, s.count);
            expect(count).toBe(Math.min(all, s.count));
            if (!s.typed) expect(into).toHaveLength(count);
            for (const handle of into.slice(0, count)) take(handle);
          } else if (s.kind === "leave") {
            (ends[s.who] as HandleRing).leave();
            const lane = holders.indexOf(s.who);
            if (lane >= 0) holders[lane] = undefined;
          } else {
            (ends[s.who] as HandleRing).close();
            closed = true;
          }
          expect(ring.size).toBe(lanes.flat().length);
          expect(ring.closed).toBe(closed);
        }
        ring.close();
        for (let handle = ring.tryReceive(); handle !== 0; handle = ring.tryReceive()) take(handle);
        expect(lanes).toEqual([[], [], []]);
        expect(ring.trySend(some(1))).toBe(false);
        for (const end of ends) end.leave();
      }),
      { numRuns: 120, seed: testSeed(`ring from ${counted}`) },
    );
    for (const seat of seats.slice(1)) seat.detach();
  });
});

describe("arguments", () => {
  const heap = smallHeap();

  test("defaults, and capacities rounded up", () => {
    expect(HandleRing.create(heap)).toMatchObject({ capacity: 1024, producers: 1, size: 0, closed: false });
    for (const [asked, given] of [
      [2, 2],
      [3, 4],
      [1000, 1024],
      [4096, 4096],
    ])
      expect(HandleRing.create(heap, { capacity: asked as number }).capacity).toBe(given);
  });

  test.each<[object, string, RegExp]>([
    [{ capacity: 1 }, "ERR_TSLAB_OUT_OF_RANGE", /"capacity" must be a whole number from 2 to 1048576; got 1/],
    [{ capacity: 2 ** 20 + 1 }, "ERR_TSLAB_OUT_OF_RANGE", /got 1048577/],
    [{ capacity: 2.5 }, "ERR_TSLAB_OUT_OF_RANGE", /got 2.5/],
    [{ capacity: "8" }, "ERR_TSLAB_INVALID_TYPE", /got "8"/],
    [{ producers: 0 }, "ERR_TSLAB_OUT_OF_RANGE", /"producers" must be a whole number from 1 to 64; got 0/],
    [{ producers: 65 }, "ERR_TSLAB_OUT_OF_RANGE", /got 65/],
    [{ size: 3 }, "ERR_TSLAB_INVALID_TYPE", /unknown option "size"; known are capacity, producers/],
  ])("create %j is refused", (options, code, message) => {
    expect(() => HandleRing.create(heap, options)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  test.each([0, -1, 1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, -(2 ** 52)])(
    "no handle: %d",
    async (value) => {
      const ring = HandleRing.create(heap, { capacity: 4 });
      const refused = expect.objectContaining({
        code: "ERR_TSLAB_OUT_OF_RANGE",
        message: expect.stringContaining(String(value)),
      });
      expect(() => ring.trySend(forged(value))).toThrow(refused);
      expect(() => ring.send(forged(value), { timeoutMs: 0 })).toThrow(refused);
      await expect(ring.sendAsync(forged(value))).rejects.toEqual(refused);
      expect(() => ring.trySendMany([forged(5), forged(value), forged(6)])).toThrow(
        /handles\[1\] must be a handle/,
      );
      expect(ring.size, "nothing of a refused batch is sent").toBe(0);
    },
  );

  test.each([["5"], [5n], [null], [undefined], [{ valueOf: () => 5 }], [true]])("no handle: %o", (value) => {
    const ring = HandleRing.create(heap, { capacity: 4 });
    const refused = expect.objectContaining({ code: "ERR_TSLAB_INVALID_TYPE" });
    expect(() => ring.trySend(value as unknown as Handle)).toThrow(refused);
    expect(() => ring.trySendMany([value as unknown as Handle])).toThrow(refused);
    expect(ring.size).toBe(0);
  });

  test("ranges of batches", () => {
    const ring = HandleRing.create(heap, { capacity: 4 });
    const handles = [forged(1), forged(2)];
    expect(() => ring.trySendMany(handles, 0, 3)).toThrow(/to must be a whole number from 0 to 2; got 3/);
    expect(() => ring.trySendMany(handles, -1)).toThrow(/from must be/);
    for (const none of [null, undefined, 7, "ab"])
      expect(() => ring.trySendMany(none as never)).toThrow(
        expect.objectContaining({
          code: "ERR_TSLAB_INVALID_TYPE",
          message: expect.stringMatching(/handles must be an array/),
        }),
      );
    expect(() => ring.trySendMany(handles, 0, null as never)).toThrow(/to must be a whole number/);
    expect(ring.trySendMany(handles, 2, 1)).toBe(0);
    expect(() => ring.tryReceiveMany(new Float64Array(2), 3)).toThrow(
      /max must be a whole number from 0 to 2/,
    );
    expect(() => ring.tryReceiveMany(new Int32Array(2) as never)).toThrow(
      /into must be an array or a Float64Array/,
    );
  });

  test("a ref must be one of this heap", () => {
    const ring = HandleRing.create(heap, { capacity: 2 });
    const ref = ring.share();
    expect(structuredClone({ kind: ref.kind, version: ref.version })).toEqual({ kind: ref.kind, version: 1 });
    const attach =
      (given: unknown): (() => HandleRing) =>
      () =>
        HandleRing.attach(heap, given as HandleRingRef);
    const refused = (message: RegExp): object =>
      expect.objectContaining({ code: "ERR_TSLAB_FORMAT", message: expect.stringMatching(message) });
    for (const bad of [undefined, null, 5, {}, heap.share()])
      expect(attach(bad)).toThrow(refused(/expected what share/));
    expect(attach({ ...ref, version: 2 })).toThrow(refused(/version 2, this package reads version 1/));
    expect(attach({ ...ref, buffer: new ArrayBuffer(8) })).toThrow(refused(/must be a SharedArrayBuffer/));
    expect(attach({ ...ref, buffer: new SharedArrayBuffer(10) })).toThrow(refused(/holds no ring/));
    expect(attach({ ...ref, buffer: new SharedArrayBuffer(4096) })).toThrow(
      refused(/no ring of this version/),
    );
    expect(() => HandleRing.attach(smallHeap(), ref)).toThrow(refused(/made for another heap/));
    expect(() => HandleRing.attach({} as SlabHeap, ref)).toThrow(/heap must be a SlabHeap/);
    shapeOf(ring).m[2] = 3;
    expect(attach(ref)).toThrow(refused(/damaged/));
  });
});

describe("places", () => {
  test("a living thread's lane and place are busy; a detached one's are taken over with what is in them", () => {
    const heap = smallHeap();
    const [second, third] = [another(heap), another(heap)];
    const ring = HandleRing.create(heap, { capacity: 4 });
    const [b, c] = [HandleRing.attach(second, ring.share()), HandleRing.attach(third, ring.share())];
    expect(b.trySend(forged(11))).toBe(true);
    expect(c.tryReceive()).toBe(11);
    const busy = expect.objectContaining({ code: "ERR_TSLAB_RING_BUSY" });
    expect(() => ring.trySend(forged(12))).toThrow(busy);
    expect(() => ring.tryReceive()).toThrow(busy);
    expect(b.trySend(forged(13))).toBe(true);
    second.detach();
    third.detach();
    expect(() => b.trySend(forged(14))).toThrow(expect.objectContaining({ code: "ERR_TSLAB_DETACHED" }));
    expect(() => c.tryReceive()).toThrow(expect.objectContaining({ code: "ERR_TSLAB_DETACHED" }));
    expect(ring.trySend(forged(15))).toBe(true);
    b.leave(); // no longer its lane
    expect(ring.trySend(forged(16))).toBe(true);
    expect([ring.tryReceive(), ring.tryReceive(), ring.tryReceive(), ring.tryReceive()]).toEqual([
      13, 15, 16, 0,
    ]);
  });

  test("left places can be taken at once", () => {
    const heap = smallHeap();
    const second = another(heap);
    const ring = HandleRing.create(heap, { capacity: 4 });
    const other = HandleRing.attach(second, ring.share());
    {
      using end = ring;
      end.trySend(forged(1));
      end.tryReceive();
    }
    expect(other.trySend(forged(2))).toBe(true);
    expect(other.tryReceive()).toBe(2);
  });
});

describe("waiting in one thread", () => {
  const heap = SlabHeap.create({ capacity: 2 ** 20 });
  const make = (): HandleRing => HandleRing.create(heap, { capacity: 2 });

  test("blocking calls give up at their timeout and at a close", () => {
    const ring = make();
    expect(ring.receive({ timeoutMs: 5 })).toBe(0);
    expect(ring.send(forged(1)) && ring.send(forged(2))).toBe(true);
    expect(ring.send(forged(3), { timeoutMs: 5 })).toBe(false);
    ring.close();
    expect(ring.send(forged(3))).toBe(false);
    expect([ring.receive(), ring.receive(), ring.receive()]).toEqual([1, 2, 0]);
    expect(() => ring.receive({ timeoutMs: -1 })).toThrow(/receive: option "timeoutMs"/);
    expect(() => ring.send(forged(1), { signal: 1 } as object)).toThrow(/unknown option "signal"/);
  });

  test("whoever waits is woken by whoever acts, by notification", async () => {
    const ring = make();
    const notify = vi.spyOn(Atomics, "notify");
    const receiving = ring.receiveAsync();
    notify.mockClear();
    ring.trySend(forged(1));
    expect(notify).toHaveBeenCalledTimes(1);
    expect(await receiving).toBe(1);
    ring.trySendMany([forged(2), forged(3)]);
    const sending = ring.sendAsync(forged(4));
    notify.mockClear();
    ring.tryReceive();
    expect(notify).toHaveBeenCalledTimes(1);
    expect(await sending).toBe(true);
    notify.mockClear();
    ring.tryReceive();
    ring.tryReceive();
    ring.trySend(forged(5));
    expect(notify, "nobody waits").not.toHaveBeenCalled();
  });

  test("calls that wait are served in the order they were made", async () => {
    const ring = make();
    const received = Promise.all(Array.from({ length: 5 }, () => ring.receiveAsync()));
    const sent = Promise.all(Array.from({ length: 5 }, (_, i) => ring.sendAsync(forged(i + 1))));
    expect(await sent).toEqual([true, true, true, true, true]);
    expect(await received).toEqual([1, 2, 3, 4, 5]);
    ring.trySendMany([forged(6), forged(7)]);
    const waiting = [8, 9, 10].map((n) => ring.sendAsync(forged(n)));
    const got: number[] = [];
    while (got.length < 5) got.push(await ring.receiveAsync());
    expect(await Promise.all(waiting)).toEqual([true, true, true]);
    expect(got).toEqual([6, 7, 8, 9, 10]);
  });

  test("abort, timeout and close end waiting, and nothing is taken or sent for a call that was given up", async () => {
    const ring = make();
    const controller = new AbortController();
    const receiving = ring.receiveAsync({ signal: controller.signal });
    const behind = ring.receiveAsync();
    controller.abort(new Error("stop"));
    ring.trySend(forged(1));
    await expect(receiving).rejects.toThrow("stop");
    expect(await behind).toBe(1);
    expect(await ring.receiveAsync({ timeoutMs: 5 })).toBe(0);
    await expect(ring.receiveAsync({ signal: AbortSignal.abort("no") })).rejects.toBe("no");
    ring.trySendMany([forged(2), forged(3)]);
    expect(await ring.sendAsync(forged(4), { timeoutMs: 5 })).toBe(false);
    const blocked = [ring.sendAsync(forged(5)), ring.sendAsync(forged(6))];
    ring.close();
    expect(await Promise.all(blocked)).toEqual([false, false]);
    expect(await ring.receiveAsync()).toBe(2);
    const last = [ring.receiveAsync(), ring.receiveAsync(), ring.receiveAsync()];
    expect(await Promise.all(last)).toEqual([3, 0, 0]);
  });

  test("iteration ends with the ring; ending it early takes no handle and leaves nothing that waits", async () => {
    const ring = make();
    const got: number[] = [];
    const loop = (async () => {
      for await (const handle of ring) got.push(handle);
    })();
    for (let n = 1; n <= 6; n++) await ring.sendAsync(forged(n));
    ring.close();
    await loop;
    expect(got).toEqual([1, 2, 3, 4, 5, 6]);

    const other = make();
    const iterator = other[Symbol.asyncIterator]();
    const pending = iterator.next();
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined });
    other.trySend(forged(7));
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    expect(other.tryReceive()).toBe(7);
    other.trySendMany([forged(8), forged(9)]);
    for await (const handle of other) {
      expect(handle).toBe(8);
      break;
    }
    expect(other.size).toBe(1);
  });
});
