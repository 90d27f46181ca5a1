/** The vocabulary of random sequences, and how fast-check makes (and shrinks) one. */
import fc from "fast-check";
import type { HeapOptions } from "../../src/index.js";

/** Small whole numbers in commands are choices: they are taken modulo what there is to choose from. */
export type Command =
  | { op: "alloc"; seat: number; kind: number; size: number; times: number; explicit: boolean }
  | { op: "allocElsewhere"; seat: number; epoch: number; size: number }
  | { op: "free"; seat: number; pick: number; times: number }
  | { op: "freeDead"; seat: number; pick: number }
  | { op: "freeForged"; seat: number; pick: number; how: number }
  | { op: "advance"; seat: number; times: number }
  | { op: "close"; seat: number; back: number; byRef: boolean }
  | { op: "discard"; seat: number; back: number; byRef: boolean }
  | { op: "discardBefore"; seat: number; back: number }
  | { op: "retain"; seat: number; epoch: number }
  | { op: "release"; seat: number; epoch: number }
  | { op: "enter"; seat: number; auto: boolean; wrong: boolean }
  | { op: "exit"; seat: number; outOfOrder: boolean }
  | { op: "attach" }
  | { op: "detach"; seat: number }
  | { op: "poll"; seat: number }
  | { op: "look"; seat: number; pick: number; epoch: number }
  | { op: "verify"; seat: number; pollAll: boolean };

export interface Script {
  readonly options: HeapOptions;
  readonly seats: number;
  readonly commands: readonly Command[];
}

const seat = fc.nat(2);
const choice = fc.nat(9999);
const flag = fc.boolean();
const epoch = fc.nat(15);

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      op: fc.constant("alloc" as const),
      seat,
      kind: fc.nat(9),
      size: choice,
      times: fc.nat(40),
      explicit: flag,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant("allocElsewhere" as const), seat, epoch, size: choice }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ op: fc.constant("free" as const), seat, pick: choice, times: fc.nat(30) }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("freeDead" as const), seat, pick: choice }) },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant("freeForged" as const), seat, pick: choice, how: fc.nat(11) }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("advance" as const), seat, times: fc.nat(19) }) },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant("close" as const), seat, back: fc.nat(20), byRef: flag }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant("discard" as const), seat, back: fc.nat(20), byRef: flag }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("discardBefore" as const), seat, back: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("retain" as const), seat, epoch }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("release" as const), seat, epoch }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("enter" as const), seat, auto: flag, wrong: flag }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("exit" as const), seat, outOfOrder: flag }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("attach" as const) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("detach" as const), seat }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("poll" as const), seat }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("look" as const), seat, pick: choice, epoch }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("verify" as const), seat, pollAll: flag }) },
);

const KIB = 1024;

const options: fc.Arbitrary<HeapOptions> = fc.record({
  capacity: fc.constantFrom(64 * KIB, 256 * KIB, 256 * KIB, 500 * KIB, 2048 * KIB),
  slabSize: fc.constantFrom(4 * KIB, 4 * KIB, 8 * KIB),
  sizeClasses: fc.constantFrom<NonNullable<HeapOptions["sizeClasses"]>>(
    [64, 256, 1024],
    [16, 48, 200, 4096],
    [8, 1000],
    [3072],
    "seed",
    "default",
  ),
  maxWorkers: fc.constant(3),
  zeroOnFree: fc.constantFrom(false, false, false, true),
});

/** A heap, how many seats take part from the start, and what they do. */
export const script: fc.Arbitrary<Script> = fc.record({
  options,
  seats: fc.constantFrom(1, 1, 2, 3),
  commands: fc.array(command, { minLength: 1, maxLength: 120, size: "max" }),
});

/** As {@link script}, but one seat only: it keeps the heap to itself. */
export const soloCommands: fc.Arbitrary<Command[]> = fc.array(
  command.filter(({ op }) => op !== "attach" && op !== "detach"),
  { minLength: 400, maxLength: 400, size: "max" },
);
