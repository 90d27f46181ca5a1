/**
 * The mutation canary: every fault of the list is put into the sources and has to be noticed by the explorer.
 *
 *   npm run mutants -- [--only a,b] [--budget MS]
 *
 * Two threads of this same bundle take the mutations one after the other. Exits 1 if one survives that is not listed
 * as equivalent, or if one is noticed that is.
 */
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { Sources } from "../explorer/source.js";
import { SCENARIOS } from "../scenarios/index.js";
import { type Catch, catchMutant } from "./catch.js";
import { MUTATIONS } from "./list.js";

/** Only what is not caught takes that long; a busy machine needs a multiple of the time for the same schedules. */
const BUDGET_MS = 36_000;
/** Whatever can only survive is not looked at for that long, but where it is asked for by name. */
const EQUIVALENT_BUDGET_MS = 1_000;
/** Longer than the budget and a compile on a busy machine: a mutant that hangs at rest, where no step is counted. */
const PATIENCE_MS = 30_000;
const THREADS = 2;

interface Task {
  readonly name: string;
  readonly budgetMs: number;
}

type Answer = { readonly found: Catch } | { readonly error: string };

function serve(port: NonNullable<typeof parentPort>): void {
  const sources = new Sources();
  port.on("message", ({ name, budgetMs }: Task) => {
    const mutation = MUTATIONS.find((m) => m.name === name);
    if (mutation === undefined) throw new Error(`No mutation ${name}.`);
    catchMutant(sources, mutation, SCENARIOS, budgetMs).then(
      (found) => port.postMessage({ found } satisfies Answer),
      (error: unknown) => port.postMessage({ error: String(error) } satisfies Answer),
    );
  });
}

/** One task on a worker; a worker that does not answer in time is given up. */
function ask(worker: Worker, task: Task): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), task.budgetMs + PATIENCE_MS);
    worker.once("message", (answer: Answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
    worker.postMessage(task);
  });
}

interface Tally {
  caught: number;
  expected: number;
  readonly wrong: string[];
}

function report(name: string, answer: Answer | undefined, tally: Tally): void {
  const equivalent = MUTATIONS.find((m) => m.name === name)?.equivalent;
  if (equivalent === undefined) tally.expected++;
  if (answer === undefined || "error" in answer) {
    tally.wrong.push(name);
    console.log(`${name}  FAILED  ${answer?.error ?? "it does not come to an end"}`);
    return;
  }
  const { found } = answer;
  const time = `${Math.round(found.ms)} ms`;
  if (found.caught) {
    if (equivalent === undefined) tally.caught++;
    else tally.wrong.push(name);
    const where = `${found.scenario} ${found.mode} ${found.preemptions}`;
    const first = found.violation?.split("\n")[0] ?? "";
    console.log(`${name}  CAUGHT  ${where}  ${found.schedules} schedules, ${time}: ${first}`);
    if (equivalent !== undefined)
      console.log(`  although it is listed as equivalent; schedule ${found.schedule}`);
  } else {
    if (equivalent === undefined) tally.wrong.push(name);
    const why = equivalent === undefined ? "" : ` (equivalent: ${equivalent})`;
    console.log(`${name}  SURVIVED  ${found.schedules} schedules, ${time}${why}`);
  }
}

function option(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

async function main(): Promise<void> {
  const only = option("--only")?.split(",");
  const asked = Number(option("--budget") ?? BUDGET_MS);
  const queue = MUTATIONS.filter(({ name }) => only?.includes(name) !== false).map(
    ({ name, equivalent }): Task => ({
      name,
      budgetMs:
        equivalent === undefined || only !== undefined ? asked : Math.min(asked, EQUIVALENT_BUDGET_MS),
    }),
  );
  const start = performance.now();
  const tally: Tally = { caught: 0, expected: 0, wrong: [] };
  const bundle = process.argv[1] as string;
  const thread = async (): Promise<void> => {
    let worker = new Worker(bundle);
    for (let task = queue.shift(); task !== undefined; task = queue.shift()) {
      const answer = await ask(worker, task);
      report(task.name, answer, tally);
      if (answer !== undefined) continue;
      await worker.terminate();
      worker = new Worker(bundle);
    }
    await worker.terminate();
  };
  await Promise.all(Array.from({ length: THREADS }, thread));
  const seconds = Math.round((performance.now() - start) / 1000);
  console.log(`${tally.caught} of ${tally.expected} mutants caught, in ${seconds} s`);
  if (tally.wrong.length > 0) console.log(`not as expected: ${tally.wrong.join(", ")}`);
  process.exitCode = tally.wrong.length > 0 ? 1 : 0;
}

if (isMainThread) await main();
else if (parentPort !== null) serve(parentPort);
