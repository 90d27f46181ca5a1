/** The vocabulary of random sequences for the stats tests, and how fast-check makes (and shrinks) one. */
import fc from "fast-check";
import type { HeapOptions } from "../../../src/index.js";

/** Small whole numbers are choices: they are taken modulo what there is to choose from. */
export type Command =
  | { op: "alloc"; seat: number; kind: number; size: number; times: number; how: number }
  | { op: "allocElsewhere"; seat: number; epoch: number; size: number }
  | { op: "allocInDomain"; seat: number; pick: number; kind: number; size: number }
  | { op: "free"; seat: number; pick: number; times: number }
  | { op: "freeWrong"; seat: number; pick: number; how: number }
  | { op: "advance"; seat: number; times: number }
  | { op: "close"; seat: number; back: number; byRef: boolean }
  | { op: "discard"; seat: number; back: number; byRef: boolean }
  | { op: "discardBefore"; seat: number; back: number }
  | { op: "label"; seat: number; epoch: number; text: string }
  | { op: "retain"; seat: number; epoch: number }
  | { op: "release"; seat: number; epoch: number }
  | { op: "enter"; seat: number; auto: boolean; text: string }
  | { op: "exit"; seat: number }
  | { op: "attach" }
  | { op: "detach"; seat: number }
  | { op: "kill"; seat: number; by: number }
  | { op: "trim"; seat: number; keep: number }
  | { op: "poll"; seat: number }
  | { op: "pollAll" };

export interface Script {
  readonly options: HeapOptions;
  readonly seats: number;
  readonly releasing: boolean;
  readonly commands: readonly Command[];
}

const seat = fc.nat(2);
const pick = fc.nat(9999);
const size = fc.nat(9999);
const flag = fc.boolean();
const epoch = fc.nat(15);
const back = fc.nat(20);
const kind = fc.nat(9);
/** Few enough to come back, more than the heap remembers by number, some too long, some cut inside a character. */
const text = fc.oneof(
  fc.nat(17).map((n) => `label ${n}`),
  fc.constantFrom(
    "",
    "worker-ÄÖÜ-with-a-name-too-long-for-it",
    "x".repeat(31),
    "1234567890123456789012345678é…",
  ),
);

type Of<Op extends Command["op"]> = Extract<Command, { op: Op }>;
type Parts<Op extends Command["op"]> = {
  [K in keyof Omit<Of<Op>, "op">]: fc.Arbitrary<Of<Op>[K & keyof Of<Op>]>;
};

function make<const Op extends Command["op"]>(weight: number, op: Op, parts: Parts<Op>) {
  const arbitrary = fc.record(parts as Record<string, fc.Arbitrary<unknown>>);
  return { weight, arbitrary: arbitrary.map((values) => ({ op, ...values }) as unknown as Command) };
}

const command: fc.Arbitrary<Command> = fc.oneof(
  make(12, "alloc", { seat, kind, size, times: fc.nat(25), how: fc.nat(3) }),
  make(1, "allocElsewhere", { seat, epoch, size }),
  make(3, "allocInDomain", { seat, pick, kind, size }),
  make(10, "free", { seat, pick, times: fc.nat(25) }),
  make(3, "freeWrong", { seat, pick, how: fc.nat(11) }),
  make(3, "advance", { seat, times: fc.oneof(fc.constant(0), fc.nat(19)) }),
  make(3, "close", { seat, back, byRef: flag }),
  make(3, "discard", { seat, back, byRef: flag }),
  make(1, "discardBefore", { seat, back }),
  make(2, "label", { seat, epoch, text }),
  make(1, "retain", { seat, epoch }),
  make(2, "release", { seat, epoch }),
  make(3, "enter", { seat, auto: flag, text }),
  make(3, "exit", { seat }),
  make(2, "attach", {}),
  make(1, "detach", { seat }),
  make(2, "kill", { seat, by: seat }),
  make(2, "trim", { seat, keep: fc.constantFrom(0, 0, 3) }),
  make(1, "poll", { seat }),
  make(1, "pollAll", {}),
);

const KIB = 1024;

const options: fc.Arbitrary<HeapOptions> = fc.record({
  capacity: fc.constantFrom(32 * KIB, 64 * KIB, 160 * KIB, 300 * KIB),
  slabSize: fc.constantFrom(4 * KIB, 4 * KIB, 8 * KIB),
  sizeClasses: fc.constantFrom<NonNullable<HeapOptions["sizeClasses"]>>(
    [64, 256, 1024],
    [48, 200, 4096],
    [8, 1000],
    [3072],
    "seed",
  ),
  maxWorkers: fc.constant(4),
  zeroOnFree: fc.constantFrom(false, false, true),
});

export const script: fc.Arbitrary<Script> = fc.record({
  options,
  seats: fc.constantFrom(1, 2, 3),
  releasing: fc.constantFrom(false, true, true),
  commands: fc.array(command, { minLength: 1, maxLength: 70, size: "max" }),
});

/** Of one seat that keeps the heap to itself. */
export const soloCommands: fc.Arbitrary<Command[]> = fc.array(
  command.filter(({ op }) => op !== "attach" && op !== "detach" && op !== "kill"),
  { minLength: 300, maxLength: 300, size: "max" },
);
