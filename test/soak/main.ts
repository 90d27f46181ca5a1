/**
 * Soak: rounds of many threads on one heap each, everything at once, for as long as asked.
 *
 * Defends: whatever threads do with a heap, in any mixture, and wherever they die, no live object is damaged or lost, no
 * counter is wrong, nobody hangs, and in the end the whole memory is there again and the process has kept its size.
 * Method: plan.ts makes a round from its seed, crew.ts runs its threads and kills some of them, checks.ts looks at the
 * heap after every lap, memory.ts at the process over the run.
 *
 * A failed round names its seed. The same seed gives the same heap, laps, kill intervals and random numbers of every
 * thread; when threads meet is up to the machine, so a failure may take several runs to show again.
 */
import { judge, mib, type Reading, takeReading } from "./memory.js";
import { parseOptions, type SoakOptions, USAGE, UsageError } from "./options.js";
import { describePlan, nextSeed, planRound } from "./plan.js";
import { addTotals, noTotals, runRound, type Totals } from "./round.js";

const n = (count: number): string => count.toLocaleString("en-US");

async function soak(options: SoakOptions): Promise<boolean> {
  const end = Date.now() + options.minutes * 60_000;
  const totals = noTotals();
  const readings: Reading[] = [];
  const problems: string[] = [];
  let rounds = 0;
  let { seed } = options;
  while (rounds < options.rounds && (rounds === 0 || end - Date.now() > 500)) {
    const plan = planRound(seed, options.threads, options.capacity, end - Date.now());
    const start = Date.now();
    const result = await runRound(plan);
    rounds++;
    addTotals(totals, result.totals);
    // The round's heap is out of reach by now.
    readings.push(takeReading());
    problems.push(...result.problems);
    console.log(roundLine(rounds, seed, Date.now() - start, result.totals, readings.at(-1)));
    if (result.problems.length > 0) {
      console.error(`soak: round ${rounds} failed; its seed is ${seed}: ${describePlan(plan)}`);
      for (const problem of result.problems.slice(0, 20)) console.error(`  ${problem}`);
      console.error(`  replay: ${replay(seed, options, 1)}`);
      break;
    }
    seed = nextSeed(seed);
  }
  const grown = judge(readings, options.threads);
  if (grown.length > 0) {
    for (const problem of grown) console.error(`soak: ${problem}`);
    console.error(`  replay: ${replay(options.seed, options, rounds)}`);
  }
  problems.push(...grown);
  console.log(summary(rounds, totals, readings, problems, options.seed));
  return problems.length === 0;
}

function replay(seed: number, { threads, capacity, minutes }: SoakOptions, rounds: number): string {
  const bytes = capacity === undefined ? "" : ` --capacity ${capacity}`;
  return `npm run soak -- --minutes ${minutes} --rounds ${rounds} --seed ${seed} --threads ${threads}${bytes}`;
}

function roundLine(round: number, seed: number, ms: number, totals: Totals, reading?: Reading): string {
  const size =
    reading === undefined ? "" : `, RSS ${mib(reading.rssBytes)} MiB, JS ${mib(reading.jsBytes)} MiB`;
  return (
    `round ${round} (seed ${seed}): ${totals.laps} laps in ${(ms / 1000).toFixed(1)} s, ${n(totals.operations)} operations, ` +
    `${n(totals.kills)} kills, ${n(totals.discarded)} discards, ${n(totals.snapshots)} snapshots${size}`
  );
}

function summary(
  rounds: number,
  totals: Totals,
  readings: readonly Reading[],
  problems: readonly string[],
  seed: number,
): string {
  const [first, last] = [readings[0], readings.at(-1)];
  const size =
    first === undefined || last === undefined
      ? ""
      : `RSS ${mib(first.rssBytes)} -> ${mib(last.rssBytes)} MiB, JS heap ${mib(first.jsBytes)} -> ${mib(last.jsBytes)} MiB, `;
  const damaged = problems.filter((text) => /damaged|stamped/.test(text)).length;
  return (
    `soak: ${n(rounds)} rounds, ${n(totals.laps)} laps, ${n(totals.operations)} operations, ${n(totals.allocs)} objects, ` +
    `${n(totals.checked)} checked, ${n(totals.handed)} handed over, ${n(totals.kills)} kills, ` +
    `${n(totals.reaps)} seats reaped by those told to (${n(totals.unattributed)} found by nobody before the end), ` +
    `${n(totals.attaches)} attaches, ` +
    `epochs: ${n(totals.opened)} opened, ${n(totals.closed)} closed, ${n(totals.discarded)} discarded, ` +
    `${n(totals.domains)} domains, ${n(totals.outOfMemory)} times out of memory, ${n(totals.snapshots)} snapshots, ` +
    `${n(totals.reports)} reports, ${damaged} damaged objects, ${problems.length} problems, ${size}seed ${seed}`
  );
}

try {
  process.exitCode = (await soak(parseOptions(process.argv.slice(2)))) ? 0 : 1;
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
