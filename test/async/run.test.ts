/**
 * Defends: the domain of `runInDomain` is entered once and left once, however the work ends, and only then; the heap's rules
 * of epochs hold for it; what was deferred runs before it is left, and no error is lost.
 * Method: one heap, the refcount looked at before, inside and after each way of ending.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EpochClosedError, NULL_HANDLE, OutOfMemoryError, type SlabHeap } from "../../src/allocator/index.js";
import { type AsyncDomain, runInDomain } from "../../src/async/index.js";
import { asyncHeap, expectNobodyInside, failureOf, gate, refcountOf, refcounts, turn } from "./support.js";

let heap: SlabHeap;
beforeEach(() => {
  heap = asyncHeap();
});
afterEach(() => {
  expectNobodyInside(heap);
  heap.detach();
});

const total = (): number => refcounts(heap).reduce((a, b) => a + b);

describe("the domain is left", () => {
  test("when a synchronous function returns or throws", async () => {
    const seen = runInDomain(heap, { label: "sync" }, (domain) => {
      expect([refcountOf(domain), domain.ended, domain.label, domain.epochs]).toEqual([
        1,
        false,
        "sync",
        [heap.currentEpoch],
      ]);
      return domain;
    });
    expect([seen.ended, refcountOf(seen)]).toEqual([true, 0]);
    const error = new Error("thrown");
    const thrown = await failureOf(() =>
      runInDomain(heap, {}, () => {
        throw error;
      }),
    );
    expect(thrown).toBe(error);
    expect(total()).toBe(0);
  });

  test.each([undefined, null, 0, "text", { than: 1 }, [1], Symbol.iterator])(
    "and %s is returned as it is",
    (value) => {
      expect(runInDomain(heap, {}, () => value)).toBe(value);
      expect(total()).toBe(0);
    },
  );

  test("when the promise settles, and not before", async () => {
    const { promise, open, fail } = gate<string>();
    const first = runInDomain(heap, {}, () => promise);
    await turn();
    expect(total()).toBe(1);
    open("done");
    expect(await first).toBe("done");
    expect(total()).toBe(0);

    const second = gate();
    const rejected = runInDomain(heap, {}, async () => {
      await second.promise;
    });
    const error = new Error("rejected");
    second.fail(error);
    expect(await failureOf(() => rejected)).toBe(error);
    expect(total()).toBe(0);
    fail(new Error("too late"));
  });

  test("before whoever awaits the promise goes on", async () => {
    await runInDomain(heap, {}, async () => {
      await turn();
    });
    expect(total()).toBe(0);
  });

  test("when a thenable settles, however it does that", async () => {
    let calls = 0;
    const lazy = {
      // biome-ignore lint/suspicious/noThenProperty: that is what a thenable is
      then(resolve: (value: number) => void): void {
        calls++;
        setImmediate(() => resolve(42));
      },
    };
    const result = runInDomain(heap, {}, () => lazy) as unknown as Promise<number>;
    expect(result).toBeInstanceOf(Promise);
    expect(total()).toBe(1);
    expect(await result).toBe(42);
    expect([calls, total()]).toEqual([1, 0]);

    const throwing = {
      // biome-ignore lint/suspicious/noThenProperty: that is what a thenable is
      then(): never {
        throw new RangeError("in then");
      },
    };
    expect(await failureOf(() => runInDomain(heap, {}, () => throwing))).toBeInstanceOf(RangeError);
    const trap = {
      // biome-ignore lint/suspicious/noThenProperty: that is what a thenable is
      get then(): never {
        throw new RangeError("in the getter");
      },
    };
    expect(await failureOf(() => runInDomain(heap, {}, () => trap))).toBeInstanceOf(RangeError);
    expect(total()).toBe(0);
  });

  test("once, when the work ends it itself", async () => {
    const order: string[] = [];
    const ended = await runInDomain(heap, {}, async (domain) => {
      domain.defer(() => order.push("deferred"));
      await turn();
      domain.end();
      domain[Symbol.dispose]();
      order.push("rest");
      expect([domain.ended, total()]).toEqual([true, 0]);
      await turn();
      return domain;
    });
    expect(order).toEqual(["deferred", "rest"]);
    expect(ended.ended).toBe(true);
  });

  test("and is no member any more where the heap was detached meanwhile", async () => {
    const own = asyncHeap();
    const domain = await runInDomain(own, {}, async (inside) => {
      await turn();
      own.detach();
      return inside;
    });
    expect(domain.ended).toBe(true);
  });
});

describe("deferred callbacks", () => {
  test("run last first, inside, and may allocate", async () => {
    const seen: unknown[] = [];
    await runInDomain(heap, {}, async (domain) => {
      domain.defer(() => seen.push("first", refcountOf(domain)));
      domain.defer(() => seen.push("second", domain.alloc(64) !== NULL_HANDLE, domain.ended));
      await turn();
      expect(seen).toEqual([]);
    });
    expect(seen).toEqual(["second", true, false, "first", 1]);
  });

  test("that fail fail the call, which has left the domain", async () => {
    const one = await failureOf(() =>
      runInDomain(heap, {}, (domain) => {
        domain.defer(() => {
          throw new Error("only");
        });
      }),
    );
    expect(one).toMatchObject({ message: "only" });
    const several = await failureOf(() =>
      runInDomain(heap, {}, async (domain) => {
        for (const name of ["a", "b"]) {
          domain.defer(() => {
            throw new Error(name);
          });
        }
      }),
    );
    expect(several).toBeInstanceOf(AggregateError);
    expect((several as AggregateError).errors.map(({ message }) => message)).toEqual(["b", "a"]);
    expect(total()).toBe(0);
  });

  test("that fail after the function did are found beside its error", async () => {
    const late = new Error("deferred");
    const fails = (error: unknown) => (domain: AsyncDomain) => {
      domain.defer(() => {
        throw late;
      });
      throw error;
    };
    const error = new Error("work");
    expect(await failureOf(() => runInDomain(heap, {}, fails(error)))).toBe(error);
    expect(error).toMatchObject({ suppressed: [late] });
    // Once more, as where domains nest.
    expect(await failureOf(() => runInDomain(heap, {}, async (d) => fails(error)(d)))).toBe(error);
    expect(error).toMatchObject({ suppressed: [late, late] });
    for (const bare of ["text", Object.freeze(new Error("frozen")), undefined]) {
      const both = (await failureOf(() => runInDomain(heap, {}, fails(bare)))) as AggregateError;
      expect(both).toBeInstanceOf(AggregateError);
      expect([both.errors, both.cause]).toEqual([[bare, late], bare]);
    }
    expect(total()).toBe(0);
  });
});

describe("epochs", () => {
  test("autoClose closes each epoch with the last domain out", async () => {
    const first = heap.currentEpoch;
    await Promise.all(
      [1, 2, 3].map((turns) =>
        runInDomain(heap, { autoClose: true }, async () => {
          for (let i = 0; i < turns; i++) await turn();
          expect(heap.currentEpoch).toEqual(first);
        }),
      ),
    );
    expect(heap.currentEpoch.era).toBe(first.era + 1);
  });

  test("without autoClose the epoch stays open, and the label names it", () => {
    const first = heap.currentEpoch;
    runInDomain(heap, { label: "batch" }, () => {});
    expect(heap.currentEpoch).toEqual(first);
    expect(heap.epochInfo(first.id).label).toBe("batch");
  });

  test("one may be asked for, while it is open", () => {
    const first = heap.currentEpoch;
    runInDomain(heap, { epoch: first.id }, ({ epoch }) => expect(epoch).toEqual(first));
    heap.advanceEpoch();
    expect(() => runInDomain(heap, { epoch: first.id }, () => {})).toThrow(EpochClosedError);
  });

  test("a domain follows the ring, and holds every epoch it has allocated in", () => {
    const first = heap.currentEpoch;
    const domain = runInDomain(heap, { epoch: first.id }, (inside) => {
      const objects = [inside.allocOrThrow(64)];
      const eras = [first.era];
      for (let i = 0; i < 5; i++) {
        const { era } = heap.advanceEpoch();
        // Not before it allocates: an epoch it has nothing in is none of its business.
        expect(inside.epochs.length).toBe(i + 1);
        objects.push(inside.allocOrThrow(64), inside.allocOrThrow(64));
        eras.push(era);
      }
      expect(inside.epochs.map(({ era }) => era)).toEqual(eras);
      expect(inside.epochs.map((epoch) => heap.refcount(epoch))).toEqual(eras.map(() => 1));
      expect(objects.map((handle) => heap.epochOf(handle).era)).toEqual(
        eras.flatMap((era, i) => (i === 0 ? [era] : [era, era])),
      );
      expect(inside.epoch).toEqual(first);
      return inside;
    });
    expect(domain.epochs.length).toBe(6);
    // Nothing of it was refused: diagnostics call that a bug of the application.
    expect(heap.counters().epochClosed).toBe(0);
  });

  test("one that refuses answers NULL_HANDLE", () => {
    runInDomain(heap, { onRotate: "refuse", label: "strict" }, (domain) => {
      expect(domain.alloc(64)).not.toBe(NULL_HANDLE);
      heap.advanceEpoch();
      expect(domain.alloc(64)).toBe(NULL_HANDLE);
      expect(heap.lastFailure).toBe("epoch-closed");
      expect(() => domain.allocOrThrow(64)).toThrow(/"strict".*not open any more/);
      expect(() => domain.allocOrThrow(64)).toThrow(EpochClosedError);
      expect(domain.epochs.length).toBe(1);
    });
  });

  test("a full heap is no reason to follow", () => {
    runInDomain(heap, {}, (domain) => {
      const handles = [];
      for (let h = domain.alloc(4096); h !== NULL_HANDLE; h = domain.alloc(4096)) handles.push(h);
      expect(heap.lastFailure).toBe("out-of-memory");
      expect(() => domain.allocOrThrow(4096)).toThrow(OutOfMemoryError);
      expect(domain.epochs.length).toBe(1);
      for (const handle of handles) heap.free(handle);
    });
  });

  test("a domain that has ended allocates and defers no more", () => {
    const domain = runInDomain(heap, { label: "gone" }, (inside) => inside);
    for (const call of [
      () => domain.alloc(64),
      () => domain.allocOrThrow(64),
      () => domain.defer(() => {}),
    ]) {
      expect(call).toThrow(EpochClosedError);
      expect(call).toThrow(/"gone".*has ended/);
    }
  });
});
