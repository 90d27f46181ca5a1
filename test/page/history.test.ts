/**
 * Defends: the curves' memory is bounded, keeps its order whatever the clock does, and breaks where it should.
 * Method: random sequences of rows and breaks against a plain list that is cut to the same limits.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { History } from "../../src/page/history.js";

const CAPACITY = 20;
const AGE = 30;

test("rows are those of a list cut by number and by age, always ascending", () => {
  const step = fc.record({
    after: fc.integer({ min: -3, max: 12 }),
    value: fc.option(fc.nat(), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 120 }), (steps) => {
      const history = new History(["a", "b"], CAPACITY, AGE);
      let model: { time: number; a: number | undefined }[] = [];
      let clock = 1000;
      for (const { after, value } of steps) {
        clock += after;
        history.push(clock, { a: value, b: 7 });
        const last = model.at(-1)?.time;
        model.push({ time: last === undefined || clock > last ? clock : last + 0.001, a: value });
        const newest = model.at(-1)?.time ?? 0;
        model = model.slice(-CAPACITY).filter(({ time }) => newest - time <= AGE);
        expect(history.times).toEqual(model.map(({ time }) => time));
        expect(history.column("a")).toEqual(model.map(({ a }) => a));
        expect(history.column("b")).toHaveLength(history.length);
        const values = model.flatMap(({ a }) => a ?? []);
        expect(history.max("a")).toBe(values.length === 0 ? null : Math.max(...values));
        expect(history.latest("a")).toBe(model.at(-1)?.a ?? null);
      }
      for (let i = 1; i < history.length; i++) {
        expect(history.times[i]).toBeGreaterThan(history.times[i - 1] ?? Number.POSITIVE_INFINITY);
      }
    }),
  );
});

test("the latest value is that of the newest row or unknown, never one from before it", () => {
  const history = new History(["a"], 10, 100);
  expect(history.latest("a")).toBeNull();
  history.push(10, { a: 1 });
  expect(history.latest("a")).toBe(1);
  history.push(11, { a: undefined });
  expect(history.latest("a")).toBeNull();
  history.push(12, { a: 0 });
  expect(history.latest("a")).toBe(0);
  history.break(20);
  history.push(20, {});
  expect(history.latest("a")).toBeNull();
  expect(history.max("a")).toBe(1);
});

test("a break is a row of nulls between two others; there is none before the first", () => {
  const history = new History(["a"], 10, 100);
  history.break(5);
  expect(history.length).toBe(0);
  history.push(10, { a: 1 });
  history.break(20);
  history.push(20, { a: 2 });
  expect(history.times).toEqual([10, 15, 20]);
  expect(history.column("a")).toEqual([1, null, 2]);
  expect(history.max("a", 16)).toBe(2);
  expect(history.max("a", 21)).toBeNull();
});
