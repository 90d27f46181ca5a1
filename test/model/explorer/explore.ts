/** Explores one scenario: depth first within limits, or at random; and repeats single schedules with a trace. */

import type { Driver, Limits } from "./decisions.js";
import { AtRandom, type Decision, DepthFirst, formatSchedule, Replay } from "./driver.js";
import type { Mode } from "./memory.js";
import { judge } from "./rest.js";
import type { Scenario } from "./setup.js";
import type { Compiled } from "./source.js";
import { type Explorable, type WordScenario, WordsWorld } from "./words-world.js";
import { World } from "./world.js";

/** With a heap, or with owner words and a ring. */
export type AnyScenario = Scenario | WordScenario;

function open(scenario: AnyScenario, code: Compiled, mode: Mode, limits: Limits, driver: Driver): Explorable {
  if ("on" in scenario) return new WordsWorld(scenario, code, mode, limits, driver);
  const world = new World(scenario, code, mode, limits, driver);
  return {
    machine: world.machine,
    reset: () => world.reset(),
    judge: () => judge(world),
    nameWord: (word, value) => world.nameWord(word, value),
  };
}

export interface Budget {
  /** Stops after so many milliseconds or schedules, whichever comes first. */
  readonly ms: number;
  readonly schedules?: number;
}

export interface Findings {
  readonly scenario: string;
  readonly mode: Mode;
  readonly limits: Limits;
  /** Distinct schedules: no two made the same decisions. */
  readonly schedules: number;
  /** Of them, those that ran to the end and were judged; the others met a state whose future was explored before. */
  readonly complete: number;
  readonly withKill: number;
  readonly states: number;
  readonly longest: number;
  /** Everything within the limits was looked at. */
  readonly exhaustive: boolean;
  readonly ms: number;
  readonly violation: string | undefined;
  /** Repeats it. */
  readonly schedule: string | undefined;
}

class Tally {
  schedules = 0;
  complete = 0;
  withKill = 0;
  longest = 0;
}

/** One run of the world as its driver decides; the violation, or undefined. */
function runOnce(world: Explorable, tally: Tally): string | undefined {
  const { machine } = world;
  world.reset();
  machine.run();
  tally.schedules++;
  tally.longest = Math.max(tally.longest, machine.at);
  if (machine.kills > 0) tally.withKill++;
  if (machine.cut) return machine.violation;
  tally.complete++;
  return machine.violation ?? world.judge();
}

export function exploreDepthFirst(
  scenario: AnyScenario,
  code: Compiled,
  mode: Mode,
  limits: Limits,
  budget: Budget,
): Findings {
  const start = performance.now();
  const world = open(scenario, code, mode, limits, new DepthFirst());
  learnContested(world);
  let driver = new DepthFirst();
  world.machine.driver = driver;
  let tally = new Tally();
  let violation: string | undefined;
  let exhaustive = false;
  const limit = budget.schedules ?? Number.POSITIVE_INFINITY;
  for (;;) {
    violation = runOnce(world, tally);
    if (violation !== undefined) break;
    if (world.machine.cut && tally.schedules === 1) {
      throw new Error(`${scenario.name}: the first run took a state of its own for an old one.`);
    }
    if (performance.now() - start > budget.ms) break;
    if (world.machine.learnt) {
      // More places to switch than were known: begin again.
      driver = new DepthFirst();
      world.machine.driver = driver;
      tally = new Tally();
    } else if (!driver.advance()) {
      exhaustive = true;
      break;
    } else if (tally.schedules >= limit) {
      break;
    }
  }
  return report(
    scenario,
    world,
    limits,
    tally,
    driver.visited.count,
    exhaustive,
    start,
    violation,
    driver.decisions(),
  );
}

/** Random runs until hardly any word is left whose sharing is not known. */
function learnContested(world: Explorable): void {
  const driver = new AtRandom();
  world.machine.driver = driver;
  let quiet = 0;
  for (let seed = 0; quiet < 50 && seed < 2000; seed++) {
    driver.start(seed);
    world.reset();
    world.machine.run();
    quiet = world.machine.learnt ? 0 : quiet + 1;
    if (world.machine.violation !== undefined) return;
  }
}

/** Random runs that made no new decisions, one after the other, before a search is given up. */
const MOST_REPEATED = 100;

export function exploreAtRandom(
  scenario: AnyScenario,
  code: Compiled,
  mode: Mode,
  limits: Limits,
  budget: Budget,
  seed: number,
): Findings {
  const start = performance.now();
  const driver = new AtRandom();
  const world = open(scenario, code, mode, limits, driver);
  learnContested(world);
  world.machine.driver = driver;
  const tally = new Tally();
  const seen = new Set<number>();
  let repeated = 0;
  let violation: string | undefined;
  const limit = budget.schedules ?? Number.POSITIVE_INFINITY;
  for (let run = 0; tally.schedules < limit && performance.now() - start <= budget.ms; run++) {
    driver.start(seed + run);
    const before = { ...tally };
    violation = runOnce(world, tally);
    if (violation !== undefined) break;
    // The same decisions as a run before: not another schedule. Where there are few, all have been seen in the end.
    const hash = (driver.h1 >>> 0) * 2 ** 21 + (driver.h2 >>> 11);
    repeated = seen.has(hash) ? repeated + 1 : 0;
    if (repeated > 0) Object.assign(tally, before);
    if (repeated === MOST_REPEATED) break;
    seen.add(hash);
  }
  return report(scenario, world, limits, tally, 0, false, start, violation, driver.decisions());
}

function report(
  scenario: AnyScenario,
  world: Explorable,
  limits: Limits,
  tally: Tally,
  states: number,
  exhaustive: boolean,
  start: number,
  violation: string | undefined,
  decisions: readonly Decision[],
): Findings {
  return {
    scenario: scenario.name,
    mode: world.machine.mode,
    limits,
    schedules: tally.schedules,
    complete: tally.complete,
    withKill: tally.withKill,
    longest: tally.longest,
    states,
    exhaustive,
    ms: performance.now() - start,
    violation,
    schedule: violation === undefined ? undefined : formatSchedule(decisions),
  };
}

export interface Replayed {
  readonly violation: string | undefined;
  readonly trace: readonly string[];
}

/** The same run again, with every access written down. */
export function replay(
  scenario: AnyScenario,
  code: Compiled,
  mode: Mode,
  limits: Limits,
  decisions: readonly Decision[],
): Replayed {
  const world = open(scenario, code, mode, limits, new Replay(decisions));
  const trace: string[] = [];
  world.machine.memory.contested.fill(1);
  world.machine.trace = {
    line: (worker, text) => trace.push(`T${worker + 1}  ${world.machine.at}  ${text}`),
    word: (word, value) => world.nameWord(word, value),
  };
  world.reset();
  world.machine.run();
  const violation = world.machine.violation ?? world.judge();
  return { violation, trace };
}
