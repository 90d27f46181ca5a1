/** Bounded part of `options.ts`; the long one is `npm run fuzz -- --kind options`. */
import { describe, expect, test } from "vitest";
import { InvalidValueError } from "../../src/allocator/errors.js";
import { SlabHeap } from "../../src/allocator/heap/heap.js";
import { testSeed } from "../model/seed.js";
import { OPTION_STEPS } from "./fuzz-run.js";
import type { OptionTarget } from "./option-targets.js";
import { runOptions } from "./options.js";
import { Violation } from "./outcome.js";

test.each([1, 2, 3])("hostile options are refused and nothing is lost: seed %d", (seed) => {
  expect(runOptions(seed, OPTION_STEPS)).toMatchObject({ cases: OPTION_STEPS, violations: 0 });
});

test("hostile options are refused and nothing is lost: any seed", () => {
  const seed = testSeed("hostile options");
  try {
    for (let n = 0; n < 3; n++) runOptions(seed + n, OPTION_STEPS);
  } catch (error) {
    throw new Error(`npm run fuzz -- --kind options --seed ${seed}, and the two after it`, { cause: error });
  }
});

describe("canaries: a function that answers badly is found out", () => {
  const leaked: SlabHeap[] = [];
  test.each<[string, OptionTarget["call"], RegExp]>([
    ["an engine's error", (_, v) => (v as { a: { b: number } }).a.b, /Cannot read properties/],
    [
      "an error that says nothing",
      () => {
        throw new InvalidValueError("bad");
      },
      /says nothing useful/,
    ],
    [
      "an error about something else",
      () => {
        throw new InvalidValueError("A message that is long enough but not about it.");
      },
      /does not name "label"/,
    ],
    [
      "a seat that is kept",
      ({ heap }) => leaked.push(SlabHeap.attach(heap.share(), { sameThread: true })),
      /timers more|seats in use/,
    ],
    [
      "a domain that stays entered",
      ({ heap }) => heap.openDomain({ label: "left" }),
      /a domain was left entered/,
    ],
    ["an object that is gone", ({ heap, live }) => heap.free(live.list()[0].handle), /isLive is false/],
    [
      "a timer that goes on",
      () => {
        clearTimeout(setInterval(() => {}, 1e6));
      },
      /1 timers more/,
    ],
  ])("%s", (_name, call, message) => {
    const target: OptionTarget = { name: "canary", call, near: () => ({ label: "x" }) };
    expect(() => runOptions(5, 200, [target])).toThrow(Violation);
    expect(() => runOptions(5, 200, [target])).toThrow(message);
    for (const heap of leaked.splice(0)) heap.detach();
  });
});
