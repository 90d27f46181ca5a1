/**
 * Defends: `currentDomain` answers the innermost domain of a heap that has not ended, wherever work has got to, and neither
 * work of other heaps nor work that outlives its domain confuses it.
 * Method: domains looked up through every way that asynchronous work goes on.
 */
import { EventEmitter } from "node:events";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { SlabHeap } from "../../src/allocator/index.js";
import { type AsyncDomain, currentDomain, runInDomain } from "../../src/async/index.js";
import { asyncHeap, expectNobodyInside, gate, refcountOf, turn } from "./support.js";

let heap: SlabHeap;
let other: SlabHeap;
beforeEach(() => {
  [heap, other] = [asyncHeap(), asyncHeap()];
});
afterEach(() => {
  for (const each of [heap, other]) {
    expectNobodyInside(each);
    each.detach();
  }
  expect(currentDomain(heap)).toBeUndefined();
});

test("there is none outside", () => {
  expect(currentDomain(heap)).toBeUndefined();
});

test.each<[string, (found: () => void) => void]>([
  ["promise", (found) => void Promise.resolve().then(found)],
  ["microtask", queueMicrotask],
  ["nextTick", (found) => process.nextTick(found)],
  ["immediate", (found) => void setImmediate(found)],
  ["timeout", (found) => void setTimeout(found, 1)],
  [
    "thenable",
    (found) => {
      // biome-ignore lint/suspicious/noThenProperty: that is what a thenable is
      const thenable = { then: (resolve: (value: unknown) => void) => resolve(found()) };
      void Promise.resolve(thenable);
    },
  ],
  [
    "event",
    (found) => {
      const emitter = new EventEmitter().once("now", found);
      setImmediate(() => emitter.emit("now"));
    },
  ],
])("found through a %s", async (_name, start) => {
  await runInDomain(heap, {}, (domain) => {
    expect(currentDomain(heap)).toBe(domain);
    return new Promise<void>((resolve, reject) => {
      start(() => {
        if (currentDomain(heap) === domain) resolve();
        else reject(new Error("another domain, or none"));
      });
    });
  });
});

test("found in deferred callbacks and after each await", async () => {
  const seen: unknown[] = [];
  const domain = await runInDomain(heap, {}, async (inside) => {
    inside.defer(() => seen.push(currentDomain(heap)));
    for (let i = 0; i < 3; i++) {
      await turn();
      seen.push(currentDomain(heap));
    }
    return inside;
  });
  expect(seen).toEqual([domain, domain, domain, domain]);
});

test("the inner one inside, the outer one after, each with its own membership", async () => {
  await runInDomain(heap, { label: "outer" }, async (outer) => {
    await runInDomain(heap, { label: "inner" }, async (inner) => {
      expect(currentDomain(heap)).toBe(inner);
      expect(refcountOf(inner)).toBe(2);
      await turn();
      expect(currentDomain(heap)).toBe(inner);
    });
    expect(currentDomain(heap)).toBe(outer);
    expect(refcountOf(outer)).toBe(1);
    runInDomain(heap, {}, () => {});
    expect(currentDomain(heap)).toBe(outer);
  });
});

test("two heaps do not see each other's", async () => {
  await runInDomain(heap, {}, async (mine) => {
    expect(currentDomain(other)).toBeUndefined();
    await runInDomain(other, {}, async (theirs) => {
      await turn();
      expect([currentDomain(heap), currentDomain(other)]).toEqual([mine, theirs]);
      await runInDomain(heap, {}, async (inner) => {
        await turn();
        expect([currentDomain(heap), currentDomain(other)]).toEqual([inner, theirs]);
      });
    });
    expect([currentDomain(heap), currentDomain(other)]).toEqual([mine, undefined]);
  });
});

test("work that outlives its domain finds the one around it, or none", async () => {
  const [late, later] = [gate(), gate()];
  const seen: unknown[] = [];
  const look = async (): Promise<void> => {
    await late.promise;
    seen.push(currentDomain(heap));
    await later.promise;
    seen.push(currentDomain(heap));
  };
  let left: Promise<void> = Promise.resolve();
  const outer = await runInDomain(heap, {}, async (domain) => {
    await runInDomain(heap, {}, async () => {
      left = look();
    });
    late.open();
    await turn();
    return domain;
  });
  later.open();
  await left;
  expect(seen).toEqual([outer, undefined]);
});

test("a domain opened by work that outlives its own is inside of what is still open", async () => {
  const late = gate();
  let found: [AsyncDomain, AsyncDomain | undefined] | undefined;
  let left: Promise<void> = Promise.resolve();
  const outer = await runInDomain(heap, {}, async (domain) => {
    await runInDomain(heap, {}, () => {
      left = late.promise.then(() =>
        runInDomain(heap, {}, async (young) => {
          await turn();
          found = [young, undefined];
        }).then(() => {
          if (found) found[1] = currentDomain(heap);
        }),
      );
    });
    late.open();
    await left;
    return domain;
  });
  expect(found?.[1]).toBe(outer);
});

test("work that starts work forever keeps nothing of its past", async () => {
  const STEPS = 500;
  const done = gate();
  const depths: number[] = [];
  const step = (): void => {
    // Each starts the next before it has ended: the next one is inside of it.
    void runInDomain(heap, {}, async (domain) => {
      let depth = 0;
      for (let d: AsyncDomain | undefined = domain; d !== undefined; d = d.enclosing) depth++;
      depths.push(depth);
      if (depths.length < STEPS) setImmediate(step);
      await turn();
      await turn();
      if (depths.length === STEPS && refcountOf(domain) === 1) done.open();
    });
  };
  step();
  await done.promise;
  await turn();
  expect(depths.length).toBe(STEPS);
  expect(Math.max(...depths)).toBeGreaterThan(1);
  expect(Math.max(...depths)).toBeLessThan(8);
});
