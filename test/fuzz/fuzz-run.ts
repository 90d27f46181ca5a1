/** Command line of the long run: kinds of fuzzing in turn until the time is over. */
import { parseArgs } from "node:util";
import type { Damage } from "./buffer-case.js";
import { superviseDamage } from "./buffer-watchdog.js";
import type { DamageFinding } from "./buffer-worker.js";
import { runHandles } from "./handles.js";
import { STATE_NAMES, type StateName } from "./heap-states.js";
import { runOptions } from "./options.js";
import { addTally, newTally, type Tally, tallyText, Violation } from "./outcome.js";

const USAGE = `usage: npm run fuzz -- [--minutes N] [--kind handles|buffers|options] [--seed S]
       npm run fuzz -- --state NAME --damage WORD,VALUE,ATTACH(0|1),SCRIPT   one damaged heap again
states: ${STATE_NAMES.join(", ")}`;

const KINDS = ["handles", "buffers", "options"] as const;
type Kind = (typeof KINDS)[number];

/** Of one seed: what a printed seed repeats. */
export const HANDLE_STEPS = 1000;
export const OPTION_STEPS = 500;

/** Each kind's turn. */
const TURN_MS = 12_000;
const MOST_PRINTED = 50;

class UsageError extends Error {}

interface Settings {
  readonly untilMs: number;
  readonly kinds: readonly Kind[];
  readonly seed: number;
  readonly state: StateName | undefined;
  readonly damage: Damage | undefined;
}

/** Returns the exit code. */
export async function runFromCommandLine(args: readonly string[]): Promise<number> {
  let settings: Settings;
  try {
    settings = settingsOf(args);
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  const run = new FuzzRun(settings);
  await run.all();
  return run.summary() === 0 ? 0 : 1;
}

function settingsOf(args: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string", default: "1" },
      kind: { type: "string" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
      state: { type: "string" },
      damage: { type: "string" },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new UsageError(`--minutes must be a number above 0; got ${values.minutes}`);
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new UsageError(`--seed must be a whole number from 0; got ${values.seed}`);
  }
  const kind = KINDS.find((name) => name === values.kind);
  if (values.kind !== undefined && kind === undefined) {
    throw new UsageError(`--kind must be one of ${KINDS.join(", ")}; got ${values.kind}`);
  }
  const state = STATE_NAMES.find((name) => name === values.state);
  if (values.state !== undefined && state === undefined) throw new UsageError(`no state ${values.state}`);
  const damage = values.damage === undefined ? undefined : damageOf(values.damage);
  if (damage !== undefined && state === undefined) throw new UsageError("--damage needs --state");
  const kinds = kind !== undefined ? [kind] : state !== undefined ? (["buffers"] as const) : KINDS;
  return { untilMs: Date.now() + minutes * 60_000, kinds, seed, state, damage };
}

function damageOf(text: string): Damage {
  const numbers = text.split(",").map(Number);
  if (numbers.length !== 4 || !numbers.every(Number.isInteger)) {
    throw new UsageError(`--damage must be four whole numbers; got ${text}`);
  }
  const [word, value, attach, script] = numbers;
  return { word, value, attach: attach === 1, script };
}

export function damageText(state: string, { word, value, attach, script }: Damage): string {
  return `npm run fuzz -- --state ${state} --damage=${word},${value},${attach ? 1 : 0},${script}`;
}

class FuzzRun {
  private readonly settings: Settings;
  private readonly sums: Record<Kind, Tally> = {
    handles: newTally(),
    buffers: newTally(),
    options: newTally(),
  };
  private readonly printed = new Map<string, number>();
  private readonly startMs = Date.now();
  private turn = 0;

  constructor(settings: Settings) {
    this.settings = settings;
  }

  async all(): Promise<void> {
    const { untilMs, kinds, seed } = this.settings;
    console.log(`fuzz: seed ${seed}, ${kinds.join(", ")}`);
    do {
      for (const kind of kinds) {
        if (Date.now() >= untilMs) break;
        const end = Math.min(untilMs, Date.now() + TURN_MS);
        if (kind === "buffers") await this.buffers(end);
        else this.seeds(kind, end);
        const seconds = Math.round((Date.now() - this.startMs) / 1000);
        console.log(`${seconds} s, ${kind}: ${tallyText(this.sums[kind])}`);
      }
      this.turn++;
    } while (Date.now() < untilMs && this.settings.damage === undefined);
  }

  /** Prints the last line; returns the number of violations. */
  summary(): number {
    const sum = newTally();
    for (const kind of this.settings.kinds) addTally(sum, this.sums[kind]);
    console.log(`fuzz: ${tallyText(sum)}`);
    return sum.violations;
  }

  private readonly nextSeed = new Map<Kind, number>();

  private seeds(kind: "handles" | "options", end: number): void {
    for (let n = this.nextSeed.get(kind) ?? 0; Date.now() < end; n++) {
      this.nextSeed.set(kind, n + 1);
      const seed = this.settings.seed + n;
      const sum = this.sums[kind];
      try {
        addTally(sum, kind === "handles" ? runHandles(seed, HANDLE_STEPS) : runOptions(seed, OPTION_STEPS));
      } catch (error) {
        sum.violations++;
        const text = error instanceof Violation ? `${error.kind}: ${error.message}` : String(error);
        this.print(`${kind} ${text}`, `npm run fuzz -- --kind ${kind} --seed ${seed}`);
      }
    }
  }

  private async buffers(end: number): Promise<void> {
    const { seed, state, damage } = this.settings;
    // A state each turn: building it and running its scripts on the sound heap takes a while.
    const name = state ?? (STATE_NAMES[this.turn % STATE_NAMES.length] as StateName);
    const tally = await superviseDamage({
      bundle: process.argv[1],
      state: name,
      plan: { kind: "roam", seed: seed + this.turn, perWord: 1 },
      untilMs: end,
      ...(damage !== undefined && { only: damage, cases: 1 }),
      onFinding: (finding) => this.report(name, finding),
    });
    addTally(this.sums.buffers, tally);
  }

  private report(state: StateName, { kind, region, message, damage }: DamageFinding): void {
    this.print(`buffers ${kind} in ${region}: ${message}`, damageText(state, damage));
  }

  /** Each sort of finding once. */
  private print(text: string, replay: string): void {
    const sort = text.replace(/-?\d+/g, "#").slice(0, 120);
    const times = (this.printed.get(sort) ?? 0) + 1;
    this.printed.set(sort, times);
    if (times === 1 && this.printed.size <= MOST_PRINTED)
      console.log(`VIOLATION ${text}\n  replay: ${replay}`);
  }
}
