/**
 * The explorer's own machine, on programs whose outcomes are known: classic litmus tests for each memory model, and
 * whether depth-first search sees every interleaving. A machine that allowed too little would make the explorer blind; one
 * that allowed too much would report what cannot happen.
 */
import { describe, expect, test } from "vitest";
import type { Limits } from "./decisions.js";
import { AtRandom, DepthFirst, formatSchedule, parseSchedule, Replay } from "./driver.js";
import { Machine } from "./machine.js";
import type { Mode } from "./memory.js";
import { LogicalWorker, type Routine } from "./worker.js";

const X = 0;
const Y = 1;
const FREE: Limits = { preemptions: 20, kills: 0, delays: 20 };

/** What one worker does, and what it saw. */
type Program = (cpu: Cpu) => Generator<unknown, void, unknown>;

class Cpu {
  readonly seen: number[] = [];
  private readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  *load(word: number): Routine {
    if (this.machine.read(this.machine.m, word)) yield;
    this.seen.push(this.machine.get());
    return this.seen.at(-1);
  }

  *store(word: number, value: number): Routine {
    if (this.machine.write(this.machine.m, word, value)) yield;
    this.machine.put();
    return undefined;
  }

  /** Atomics by their numbers: load 0, store 1, compareExchange 2, or 3, and 4, add 5, exchange 6. */
  *atomic(op: number, word: number, x = 0, y = 0): Routine {
    if (this.machine.atomic(op, this.machine.m, word, x, y)) yield;
    const value = this.machine.rmw();
    if (op !== 1) this.seen.push(value);
    return value;
  }
}

interface Explored {
  /** What the workers saw, and the words at the end, of every run. */
  readonly outcomes: ReadonlySet<string>;
  readonly runs: number;
}

function explore(
  mode: Mode,
  programs: readonly Program[],
  limits: Limits = FREE,
  killable: readonly number[] = [],
): Explored {
  const m = new Int32Array(new SharedArrayBuffer(64));
  const workers = programs.map((_, i) => new LogicalWorker(i, killable.includes(i)));
  const driver = new DepthFirst();
  const machine = new Machine(m, mode, workers, limits, driver);
  machine.memory.contested.fill(1);
  const outcomes = new Set<string>();
  let runs = 0;
  do {
    m.fill(0);
    machine.reset();
    const cpus = programs.map((program, i) => {
      const cpu = new Cpu(machine);
      (workers[i] as LogicalWorker).routine = program(cpu);
      return cpu;
    });
    machine.run();
    runs++;
    expect(machine.violation).toBeUndefined();
    if (machine.cut) continue;
    machine.settleAll();
    outcomes.add(`${cpus.map((cpu) => cpu.seen.join("")).join(" ")} | ${m[X]}${m[Y]}`);
  } while (driver.advance());
  return { outcomes, runs };
}

/** The outcomes' first part: what was seen. */
const seen = (explored: Explored): string[] =>
  [...new Set([...explored.outcomes].map((outcome) => outcome.split(" | ")[0] as string))].sort();

describe("two stores, two loads: each worker stores one word and loads the other", () => {
  const plain: Program[] = [
    function* (cpu) {
      yield* cpu.store(X, 1);
      yield* cpu.load(Y);
    },
    function* (cpu) {
      yield* cpu.store(Y, 1);
      yield* cpu.load(X);
    },
  ];
  const atomic: Program[] = [
    function* (cpu) {
      yield* cpu.atomic(1, X, 1);
      yield* cpu.atomic(0, Y);
    },
    function* (cpu) {
      yield* cpu.atomic(1, Y, 1);
      yield* cpu.atomic(0, X);
    },
  ];

  test("both see the old value only where stores are delayed", () => {
    expect(seen(explore("sc", plain))).toEqual(["0 1", "1 0", "1 1"]);
    expect(seen(explore("tso", plain))).toEqual(["0 0", "0 1", "1 0", "1 1"]);
    expect(seen(explore("weak", plain))).toEqual(["0 0", "0 1", "1 0", "1 1"]);
  });

  test.each(["sc", "tso", "weak"] as const)("never with atomics (%s)", (mode) => {
    expect(seen(explore(mode, atomic))).toEqual(["0 1", "1 0", "1 1"]);
  });

  test("an atomic store does not keep a plain load behind it where loads may be early", () => {
    const mixed = atomic.map(
      (_, i): Program =>
        function* (cpu) {
          yield* cpu.atomic(1, i, 1);
          yield* cpu.load(1 - i);
        },
    );
    expect(seen(explore("tso", mixed))).toEqual(["0 1", "1 0", "1 1"]);
    expect(seen(explore("weak", mixed))).toContain("0 0");
  });
});

test("a store may stay behind until its worker's next atomic write, of whatever word", () => {
  const m = new Int32Array(new SharedArrayBuffer(64));
  const workers = [new LogicalWorker(0, false), new LogicalWorker(1, false)];
  const driver = new DepthFirst();
  const machine = new Machine(m, "tso", workers, FREE, driver);
  // The third word is the first worker's alone: nobody is interrupted there for its own sake.
  machine.memory.contested.fill(1, X, Y + 1);
  const outcomes = new Set<string>();
  do {
    m.fill(0);
    machine.reset();
    const cpus = workers.map(() => new Cpu(machine));
    const [first, second] = cpus as [Cpu, Cpu];
    (workers[0] as LogicalWorker).routine = (function* () {
      yield* first.store(X, 1);
      yield* first.atomic(0, Y);
      yield* first.atomic(5, 2, 1);
    })();
    (workers[1] as LogicalWorker).routine = (function* () {
      yield* second.atomic(1, Y, 1);
      yield* second.atomic(0, X);
    })();
    machine.run();
    if (!machine.cut) outcomes.add(`${first.seen[0]}${second.seen[0]}`);
  } while (driver.advance());
  expect([...outcomes].sort()).toEqual(["00", "01", "10", "11"]);
});

describe("message passing: data, then a flag", () => {
  const passing = (publish: (cpu: Cpu) => Routine, look: (cpu: Cpu) => Routine): Program[] => [
    function* (cpu) {
      yield* cpu.store(X, 1);
      yield* publish(cpu);
    },
    function* (cpu) {
      yield* look(cpu);
      yield* cpu.load(X);
    },
  ];
  const plain = passing(
    (cpu) => cpu.store(Y, 1),
    (cpu) => cpu.load(Y),
  );
  const atomic = passing(
    (cpu) => cpu.atomic(1, Y, 1),
    (cpu) => cpu.atomic(0, Y),
  );

  test("the flag without the data only where stores or loads get out of order", () => {
    expect(seen(explore("sc", plain))).not.toContain(" 10");
    expect(seen(explore("tso", plain))).not.toContain(" 10");
    expect(seen(explore("weak", plain))).toContain(" 10");
  });

  test.each(["sc", "tso", "weak"] as const)("never with atomics (%s)", (mode) => {
    expect(seen(explore(mode, atomic))).toEqual([" 00", " 01", " 11"]);
  });

  test("an atomic flag that is read plainly is not enough", () => {
    const half = passing(
      (cpu) => cpu.atomic(1, Y, 1),
      (cpu) => cpu.load(Y),
    );
    expect(seen(explore("weak", half))).toContain(" 10");
  });

  test("a read-modify-write orders later loads from its load half on only", () => {
    // The word was 1 since before the data came: the load half may be as early.
    const early = passing(
      (cpu) => cpu.atomic(1, Y, 1),
      (cpu) => cpu.atomic(3, 2, 1),
    );
    expect(seen(explore("weak", early))).toContain(" 00");
  });
});

test.each(["sc", "tso", "weak"] as const)("one word never goes back for one reader (%s)", (mode) => {
  const { outcomes } = explore(mode, [
    function* (cpu) {
      yield* cpu.store(X, 1);
      yield* cpu.store(X, 2);
    },
    function* (cpu) {
      yield* cpu.load(X);
      yield* cpu.load(X);
    },
  ]);
  const pairs = [...new Set([...outcomes].map((outcome) => outcome.trim().split(" ")[0]))].sort();
  expect(pairs).toEqual(["00", "01", "02", "11", "12", "22"]);
  for (const outcome of outcomes) expect(outcome.endsWith("| 20")).toBe(true);
});

test.each(["sc", "tso", "weak"] as const)("a worker sees its own stores at once (%s)", (mode) => {
  const { outcomes } = explore(mode, [
    function* (cpu) {
      yield* cpu.store(X, 1);
      yield* cpu.load(X);
    },
    function* (cpu) {
      yield* cpu.store(Y, 1);
      yield* cpu.load(Y);
    },
  ]);
  expect([...outcomes]).toEqual(["1 1 | 11"]);
});

test.each(["sc", "tso", "weak"] as const)("atomic additions are never lost (%s)", (mode) => {
  const add: Program = function* (cpu) {
    yield* cpu.atomic(5, X, 1);
    yield* cpu.atomic(5, X, 1);
  };
  const { outcomes } = explore(mode, [add, add]);
  for (const outcome of outcomes) expect(outcome.endsWith("| 40")).toBe(true);
  const plain: Program = function* (cpu) {
    const before = (yield* cpu.load(X)) as number;
    yield* cpu.store(X, before + 1);
  };
  expect([...explore(mode, [plain, plain]).outcomes].map((o) => o.split("| ")[1]).sort()).toContain("10");
});

test("a killed worker's stores get out up to some place, in order", () => {
  const { outcomes } = explore(
    "tso",
    [
      function* (cpu) {
        yield* cpu.store(X, 1);
        yield* cpu.store(Y, 1);
        yield* cpu.store(2, 1);
      },
    ],
    { ...FREE, kills: 1 },
    [0],
  );
  expect([...outcomes].sort()).toEqual([" | 00", " | 10", " | 11"]);
});

test("depth first sees every interleaving", () => {
  // Three steps each, every one visible: 20 ways to mix them.
  const steps = (base: number): Program =>
    function* (cpu) {
      for (let i = 0; i < 3; i++) yield* cpu.atomic(6, X, base + i);
    };
  const { outcomes } = explore("sc", [steps(1), steps(4)]);
  expect(outcomes.size).toBe(20);
  // With one interruption: one worker's steps in a gap of the other's, or after it.
  expect(explore("sc", [steps(1), steps(4)], { ...FREE, preemptions: 0 }).outcomes.size).toBe(2);
  expect(explore("sc", [steps(1), steps(4)], { ...FREE, preemptions: 1 }).outcomes.size).toBe(6);
});

test("a state is never taken for one of the same run: the first run goes to its end", () => {
  // Nothing new is seen between the places: a value from the worker's own buffer, and the end of an operation.
  const m = new Int32Array(new SharedArrayBuffer(64));
  const worker = new LogicalWorker(0, true);
  const machine = new Machine(m, "tso", [worker], { ...FREE, kills: 1 }, new DepthFirst());
  machine.memory.contested.fill(1);
  machine.reset();
  const cpu = new Cpu(machine);
  worker.routine = (function* (): Generator<unknown, void, unknown> {
    yield* cpu.store(X, 1);
    for (let i = 0; i < 3; i++) {
      yield* cpu.load(X);
      if (machine.boundary()) yield;
      if (machine.boundary()) yield;
    }
  })();
  machine.run();
  expect(machine.cut).toBe(false);
  expect(cpu.seen).toEqual([1, 1, 1]);
});

test("schedules are written and read again", () => {
  const decisions = [
    { key: 12, pick: 2 },
    { key: -3, pick: 1 },
    { key: 40.25, pick: 20_001 },
  ];
  expect(parseSchedule(formatSchedule(decisions))).toEqual(decisions);
  expect(parseSchedule("")).toEqual([]);
  expect(() => parseSchedule("12:x")).toThrow("12:x");
});

test("a random schedule is repeated by its seed and by what it decided", () => {
  const programs: Program[] = [1, 4].map(
    (base): Program =>
      function* (cpu) {
        for (let i = 0; i < 4; i++) yield* cpu.atomic(6, X, base + i);
      },
  );
  const m = new Int32Array(new SharedArrayBuffer(64));
  const workers = programs.map((_, i) => new LogicalWorker(i, false));
  const driver = new AtRandom();
  const machine = new Machine(m, "sc", workers, FREE, driver);
  machine.memory.contested.fill(1);
  const run = (): string => {
    m.fill(0);
    machine.reset();
    const cpus = programs.map((program, i) => {
      const cpu = new Cpu(machine);
      (workers[i] as LogicalWorker).routine = program(cpu);
      return cpu;
    });
    machine.run();
    return cpus.map((cpu) => cpu.seen.join("")).join(" ");
  };
  const results = new Set<string>();
  for (let seed = 1; seed <= 40; seed++) {
    machine.driver = driver;
    driver.start(seed);
    const first = run();
    results.add(first);
    machine.driver = new Replay(driver.decisions());
    expect(run()).toBe(first);
  }
  expect(results.size).toBeGreaterThan(5);
});

test("a schedule that does not fit is an error", () => {
  const m = new Int32Array(new SharedArrayBuffer(64));
  const worker = new LogicalWorker(0, false);
  const machine = new Machine(m, "sc", [worker], FREE, new Replay([{ key: 1, pick: 2 }]));
  machine.reset();
  worker.routine = new Cpu(machine).atomic(5, X, 1);
  expect(() => machine.run()).toThrow("does not fit");
});
