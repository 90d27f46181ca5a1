/**
 * Explores all scenarios: npm run explore -- [--seconds N] [--scenario A,B] [--mode tso] [--preemptions N] [--seed N]
 *
 * On every processor a thread takes one task after the other. Ends with the counts; with --ci it is an error if there
 * are fewer than promised. A violation is printed with its trace and the command that repeats it.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { parseSchedule } from "./explorer/driver.js";
import {
  type AnyScenario,
  exploreAtRandom,
  exploreDepthFirst,
  type Findings,
  replay,
} from "./explorer/explore.js";
import { mix1 } from "./explorer/hash.js";
import type { Mode } from "./explorer/memory.js";
import { Sources } from "./explorer/source.js";

import { killsOf, MODES, plan, type Task } from "./plan.js";
import { SCENARIOS } from "./scenarios/index.js";

/** What CI must reach. */
const PROMISED = { scenarios: 25, schedules: 1_000_000, withKill: 200_000 };
const USAGE = `usage: npm run explore -- [--seconds N] [--scenario NAME,...] [--mode ${MODES.join("|")}]
    [--preemptions N] [--seed N] [--threads N] [--ci] [--list]
    [--replay SCHEDULE]    repeats one schedule of --scenario on --mode, with its trace`;

interface Order {
  readonly task: Task;
  readonly ms: number;
  readonly seed: number;
}

interface Result extends Findings {
  readonly task: Task;
}

function scenarioNamed(name: string): AnyScenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (found === undefined) return wrong(`there is no scenario ${JSON.stringify(name)}; --list names them`);
  return found;
}

function wrong(message: string): never {
  console.error(`explore: ${message}\n${USAGE}`);
  process.exit(2);
}

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  return Number.isInteger(value) && value >= 0
    ? value
    : wrong(`--${name} must be a whole number; got ${text}`);
}

async function work(): Promise<void> {
  const code = await new Sources().compile();
  parentPort?.on("message", ({ task, ms, seed }: Order) => {
    const scenario = scenarioNamed(task.scenario);
    const findings =
      task.kind === "random"
        ? exploreAtRandom(scenario, code, task.mode, task.limits, { ms }, seed)
        : exploreDepthFirst(scenario, code, task.mode, task.limits, { ms });
    parentPort?.postMessage({ ...findings, task } satisfies Result);
  });
  parentPort?.postMessage("ready");
}

/** Hands the tasks out; each gets its share of the time that is left. */
async function exploreAll(
  tasks: readonly Task[],
  seconds: number,
  threads: number,
  seed: number,
): Promise<Result[]> {
  const start = performance.now();
  const results: Result[] = [];
  const waiting = [...tasks];
  let weight = waiting.reduce((sum, task) => sum + task.weight, 0);
  await Promise.all(
    Array.from({ length: Math.min(threads, tasks.length) }, async () => {
      const worker = new Worker(process.argv[1] as string);
      await new Promise<void>((resolve, reject) => {
        worker.on("error", reject);
        worker.on("message", (message: "ready" | Result) => {
          if (message !== "ready") {
            results.push(message);
            progress(message);
          }
          const task = waiting.shift();
          if (task === undefined || results.some((result) => result.violation !== undefined)) {
            resolve();
            return;
          }
          const left = seconds * 1000 - (performance.now() - start);
          const ms = Math.max(50, (left * threads * task.weight) / weight);
          weight -= task.weight;
          worker.postMessage({ task, ms, seed: seedOf(seed, task) } satisfies Order);
        });
      });
      await worker.terminate();
    }),
  );
  return results;
}

/** The same for the same task, whichever thread takes it and when. */
function seedOf(seed: number, { scenario, mode }: Task): number {
  let hash = seed;
  for (const letter of scenario + mode) hash = mix1(hash, letter.charCodeAt(0));
  return hash >>> 1;
}

const digits = (value: number): string => value.toLocaleString("en-US");

function progress({ task, schedules, complete, withKill, states, longest, exhaustive, ms }: Result): void {
  const what =
    task.kind === "random" ? "random" : `<=${task.limits.preemptions} switches${exhaustive ? ", all" : ""}`;
  console.log(
    [
      task.scenario.padEnd(26),
      task.mode.padEnd(5),
      what.padEnd(18),
      `${digits(schedules).padStart(9)} schedules`,
      `${digits(complete).padStart(8)} to the end`,
      `${digits(withKill).padStart(8)} with a kill`,
      `${digits(states).padStart(10)} states`,
      `${String(longest).padStart(5)} steps`,
      `${(ms / 1000).toFixed(1).padStart(6)} s`,
    ].join("  "),
  );
}

/** The last lines; false if something is wrong. */
function summary(results: readonly Result[], ci: boolean): boolean {
  const sum = (of: (result: Result) => number, kind: Task["kind"]): number =>
    results.filter((result) => result.task.kind === kind).reduce((total, result) => total + of(result), 0);
  const depthFirst = results.filter((result) => result.task.kind === "depth-first");
  const schedules = sum((r) => r.schedules, "depth-first");
  const withKill = sum((r) => r.withKill, "depth-first");
  const scenarios = new Set(results.map((result) => result.scenario)).size;
  const all = depthFirst.filter((result) => result.exhaustive).length;
  const core = depthFirst.filter((result) => scenarioNamed(result.scenario).core === true);
  const violations = results.filter((result) => result.violation !== undefined).length;
  console.log(`
${digits(schedules)} distinct schedules of ${scenarios} scenarios depth first, ${digits(withKill)} of them with a kill;
  ${digits(sum((r) => r.complete, "depth-first"))} ran to the end, the others met one of ${digits(sum((r) => r.states, "depth-first"))} states already explored
  ${all} of ${depthFirst.length} explorations complete within their bound; of ${core.length} of core races ${core.filter((r) => r.exhaustive).length}
${digits(sum((r) => r.schedules, "random"))} more at random, ${digits(sum((r) => r.withKill, "random"))} of them with a kill
${violations} violations`);
  if (violations > 0) return false;
  if (!ci) return true;
  const missing = [
    scenarios >= PROMISED.scenarios || `${scenarios} scenarios of ${PROMISED.scenarios}`,
    schedules >= PROMISED.schedules || `${digits(schedules)} schedules of ${digits(PROMISED.schedules)}`,
    withKill >= PROMISED.withKill ||
      `${digits(withKill)} schedules with a kill of ${digits(PROMISED.withKill)}`,
  ].filter((line) => line !== true);
  for (const line of missing) console.log(`fewer than promised: ${line}`);
  return missing.length === 0;
}

async function show(scenario: AnyScenario, mode: Mode, schedule: string): Promise<string | undefined> {
  const code = await new Sources().compile();
  const limits = { preemptions: 1000, kills: killsOf(scenario), delays: 1000 };
  const { violation, trace } = replay(scenario, code, mode, limits, parseSchedule(schedule));
  console.log(trace.join("\n"));
  console.log(violation ?? "no violation");
  return violation;
}

async function main(): Promise<void> {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    options: {
      seconds: text,
      scenario: text,
      mode: text,
      preemptions: text,
      seed: text,
      threads: text,
      replay: text,
      ci: flag,
      list: flag,
    },
  });
  const scenarios = values.scenario?.split(",").map(scenarioNamed) ?? SCENARIOS;
  const mode = MODES.find((known) => known === values.mode);
  if (values.mode !== undefined && mode === undefined) wrong(`--mode must be one of ${MODES.join(", ")}`);
  if (values.list) {
    for (const { name, about, core } of scenarios)
      console.log(`${name.padEnd(26)} ${core === true ? "core " : "     "} ${about}`);
    return;
  }
  if (values.replay !== undefined) {
    if (scenarios.length !== 1 || mode === undefined) wrong("--replay needs one --scenario and a --mode");
    process.exitCode =
      (await show(scenarios[0] as AnyScenario, mode as Mode, values.replay)) === undefined ? 0 : 1;
    return;
  }
  const seconds = wholeNumber("seconds", values.seconds) ?? 240;
  const threads = Math.max(1, wholeNumber("threads", values.threads) ?? availableParallelism());
  const seed = wholeNumber("seed", values.seed) ?? Math.floor(Math.random() * 2 ** 31);
  const preemptions = wholeNumber("preemptions", values.preemptions);
  console.log(`seed ${seed}`);
  const tasks = plan(scenarios, { modes: mode === undefined ? undefined : [mode], preemptions });
  const results = await exploreAll(tasks, seconds, threads, seed);
  for (const { scenario, mode: on, violation, schedule } of results) {
    if (violation === undefined) continue;
    await show(scenarioNamed(scenario), on, schedule ?? "");
    console.log(`\n${scenario} on ${on}: ${violation}`);
    console.log(`again: npm run explore -- --scenario ${scenario} --mode ${on} --replay "${schedule}"`);
  }
  if (!summary(results, values.ci)) process.exitCode = 1;
}

if (isMainThread) {
  main().catch((error: unknown) => {
    // Unknown options end here too.
    console.error(error instanceof Error && "code" in error ? `${error.message}\n${USAGE}` : error);
    process.exitCode = 2;
  });
} else {
  await work();
}
