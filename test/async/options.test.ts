/**
 * Defends: bad arguments are refused with a typed error that names the option, the value and what is allowed, before anything
 * is opened, entered or advanced.
 * Method: each bad value once; the heap's metadata compared before and after.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  HeapDetachedError,
  InvalidTypeError,
  InvalidValueError,
  SlabHeap,
} from "../../src/allocator/index.js";
import { currentDomain, EpochRotator, runInDomain } from "../../src/async/index.js";
import { expectMetadata, metadata } from "../allocator/support.js";
import { asyncHeap, expectNobodyInside } from "./support.js";

let heap: SlabHeap;
let rotator: EpochRotator;
beforeEach(() => {
  heap = asyncHeap();
  rotator = new EpochRotator(heap);
});
afterEach(() => {
  rotator.stop();
  expectNobodyInside(heap);
  heap.detach();
});

type Call = (value: unknown) => unknown;
const noWork = (): never => {
  throw new Error("must not be called");
};
const run = (options: unknown): unknown => runInDomain(heap, options as never, noWork);
const make = (options: unknown): unknown => new EpochRotator(heap, options as never);
const open = (options: unknown): unknown => rotator.open(options as never);

function refused(
  call: Call,
  value: unknown,
  type: typeof InvalidTypeError | typeof InvalidValueError,
  ...words: readonly string[]
): void {
  const before = metadata(heap);
  let caught: unknown;
  try {
    call(value);
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(type);
  for (const word of words) expect((caught as Error).message).toContain(word);
  expectMetadata(heap, before);
  expect(rotator.stats().domainsOpened).toBe(0);
}

const symbol = Symbol("s");

test.each<[string, Call]>([
  ["runInDomain", run],
  ["EpochRotator", make],
  ["EpochRotator.open", open],
])("%s: options must be an object with known keys", (name, call) => {
  for (const value of [null, 1, "x", true, symbol]) {
    refused(call, value, InvalidTypeError, name, "options must be an object", String(value));
  }
  refused(call, { lable: "x" }, InvalidTypeError, name, 'unknown option "lable"', "label, ");
});

test("runInDomain: options are required", () => {
  refused(run, undefined, InvalidTypeError, "options must be an object; got undefined");
});

test.each<[string, Call]>([
  ["runInDomain", run],
  ["EpochRotator", make],
  ["EpochRotator.open", open],
])("%s: label and onRotate", (_name, call) => {
  for (const label of [1, null, {}, symbol]) refused(call, { label }, InvalidTypeError, '"label"', "string");
  refused(call, { onRotate: "Follow" }, InvalidValueError, '"onRotate"', '"Follow"', '"refuse"');
  for (const onRotate of [null, true, 1]) {
    refused(call, { onRotate }, InvalidTypeError, '"onRotate"', String(onRotate));
  }
});

test.each<[string, Call]>([
  ["runInDomain", run],
  ["EpochRotator.open", open],
])("%s: signal", (_name, call) => {
  const deaf = { aborted: false, addEventListener: () => {} };
  for (const signal of [null, 1, {}, { aborted: false }, deaf, new AbortController()]) {
    refused(call, { signal }, InvalidTypeError, '"signal"', "AbortSignal");
  }
});

test("EpochRotator: its own options", () => {
  for (const name of ["everyDomains", "everyMs"]) {
    for (const value of [0, -1, 1.5, Number.NaN, Infinity, 2 ** 31]) {
      refused(make, { [name]: value }, InvalidValueError, `"${name}"`, "1 to 2147483647", String(value));
    }
    for (const value of ["1", null, {}]) {
      refused(make, { [name]: value }, InvalidTypeError, `"${name}"`, "1 to 2147483647");
    }
  }
  refused(make, { onLastExit: "drop" }, InvalidValueError, '"onLastExit"', '"drop"', '"discard"');
  refused(make, { onLastExit: null }, InvalidTypeError, '"onLastExit"', "null");
});

test("runInDomain: rotator, epoch and autoClose", () => {
  for (const value of [null, {}, EpochRotator])
    refused(run, { rotator: value }, InvalidTypeError, '"rotator"');
  refused(run, { rotator, epoch: 0 }, InvalidValueError, '"epoch"', '"rotator"');
  refused(run, { rotator, autoClose: false }, InvalidValueError, '"autoClose"', '"rotator"');
  const other = asyncHeap();
  const foreign = new EpochRotator(other);
  refused(run, { rotator: foreign }, InvalidValueError, '"rotator"', "same heap");
  foreign.stop();
  other.detach();
  for (const epoch of [-1, 16, 1.5]) refused(run, { epoch }, InvalidValueError, String(epoch));
  refused(run, { epoch: "0" }, InvalidTypeError);
  refused(run, { autoClose: 1 }, InvalidTypeError, '"autoClose"');
});

test("heap and fn", () => {
  for (const value of [undefined, null, {}, SlabHeap]) {
    refused((h) => runInDomain(h as never, {}, noWork), value, InvalidTypeError, "heap must be a SlabHeap");
    refused((h) => currentDomain(h as never), value, InvalidTypeError, "heap must be a SlabHeap");
    refused((h) => new EpochRotator(h as never), value, InvalidTypeError, "heap must be a SlabHeap");
  }
  for (const value of [undefined, null, {}, "f"]) {
    refused((fn) => runInDomain(heap, {}, fn as never), value, InvalidTypeError, "fn must be a function");
  }
});

test("defer takes functions", () => {
  runInDomain(heap, {}, (domain) => {
    refused((value) => domain.defer(value as never), null, InvalidTypeError, "callback", "null");
  });
});

test("a detached heap is refused", () => {
  const gone = asyncHeap();
  const late = new EpochRotator(gone);
  gone.detach();
  expect(() => runInDomain(gone, {}, noWork)).toThrow(HeapDetachedError);
  expect(() => late.open()).toThrow(HeapDetachedError);
  late.stop();
  expect(late.stats().domainsOpened).toBe(0);
});
