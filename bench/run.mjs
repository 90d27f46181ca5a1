/**
 * `node bench/run.mjs [--quick] [--only row,...] [--rounds N] [--json [FILE]] [--markdown FILE]`
 *
 * Runs every row: each contender in a fresh process, contenders of a row in turns, at least three
 * rounds. Missing a goal is printed and is no failure; a crash, damage or a failed check is.
 */
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { tracePath } from "./inputs.mjs";
import { compare, report, rowTitles } from "./report.mjs";
import { rows, titles } from "./rows.mjs";
import { summarize } from "./stats.mjs";
import { buildYardstick } from "./yardstick.mjs";

const options = readOptions(process.argv.slice(2));
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const machine = describeMachine();
const trace = tracePath();
const yardstick = buildYardstick(trace);
const skipped = [];
if (yardstick.skipped) skipped.push(`native malloc skipped: ${yardstick.skipped}`);
if (!trace) skipped.push("trace replay skipped: bench/traces is empty; set TSLAB_TRACE to a .trace.gz file");
for (const line of skipped) console.log(line);

const selected = rows.filter(
  (row) => (!options.only || options.only.includes(row.id)) && (row.needs !== "trace" || trace),
);
const results = [];
const failures = [];
try {
  for (const row of selected) results.push(await runRow(row));
} finally {
  yardstick.close?.();
}
machine.loadAfter = load();
progress("");

console.log(`\n${report(results, machine, skipped, "text")}`);
if (Math.max(machine.loadBefore, machine.loadAfter - 1) > os.availableParallelism() / 2)
  console.log("\nOther programs kept this machine busy: expect rows with two threads to read low.");
save();
for (const failure of failures) console.error(`\nFAILED ${failure}`);
process.exitCode = failures.length > 0 ? 1 : 0;

async function runRow(row) {
  const names = ["ours", ...row.against].filter((name) => name !== "malloc" || !yardstick.skipped);
  const rounds = Object.fromEntries(names.map((name) => [name, []]));
  const broken = new Set();
  for (let round = 0; round < options.rounds; round++)
    // Every other round backwards, so that nobody always runs on the core the other has just warmed.
    for (const name of round % 2 ? names.toReversed() : names) {
      if (broken.has(name)) continue;
      progress(
        `${selected.indexOf(row) + 1}/${selected.length} ${row.title}, round ${round + 1}: ${titles[name]}`,
      );
      try {
        rounds[name].push(await measure(row, name));
      } catch (error) {
        broken.add(name);
        failures.push(`${row.id}, ${titles[name]}: ${error.stderr || error.message}`);
      }
    }
  const summaries = {};
  for (const name of names)
    if (rounds[name].length > 0) summaries[name] = summarize(rounds[name], row.higherIsBetter);
  return { row, rounds, summaries };
}

async function measure(row, contender) {
  const seconds = options.quick ? 0.15 : 0.6;
  if (contender === "malloc") return yardstick.run(row.mode, seconds);
  const job = { row: row.id, contender, seconds, quick: options.quick, trace };
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...(row.flags?.(contender) ?? []), here("child.mjs"), JSON.stringify(job)],
    { maxBuffer: 1 << 28, timeout: 300_000, killSignal: "SIGKILL" },
  );
  return JSON.parse(stdout);
}

/** The raw data: what every figure in the table was made from. */
function save() {
  const rounded = (_key, value) => (typeof value === "number" ? Number(value.toPrecision(6)) : value);
  const document = {
    machine,
    options: { quick: options.quick, rounds: options.rounds },
    skipped,
    failures,
    comparisons: compare(results).map(({ row, against, metric, ratio, goal, met }) => ({
      row: row.id,
      against,
      metric,
      ratio,
      goal,
      met,
    })),
    rows: results.map(({ row, rounds, summaries }) => ({
      id: row.id,
      title: row.title,
      unit: row.unit,
      summaries,
      rounds,
    })),
  };
  write(options.json, `${JSON.stringify(document, rounded)}\n`);
  if (options.markdown) write(options.markdown, `${report(results, machine, skipped, "markdown")}\n`);
}

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  console.log(`\nwrote ${path}`);
}

function load() {
  return Number(os.loadavg()[0].toFixed(2));
}

function describeMachine() {
  return {
    date: new Date().toISOString(),
    node: process.versions.node,
    v8: process.versions.v8,
    cpu: os.cpus()[0]?.model ?? "unknown cpu",
    cores: os.availableParallelism(),
    memoryGiB: Number((os.totalmem() / 2 ** 30).toFixed(1)),
    platform: `${os.type()} ${os.release()} ${os.arch()}`,
    loadBefore: load(),
  };
}

function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

/** `--json` alone names the file after the day, the engine and the machine; without it, latest.json. */
function readOptions(args) {
  const bareJson = args.findIndex((arg, i) => arg === "--json" && (args[i + 1] ?? "--").startsWith("--"));
  if (bareJson >= 0) {
    const cpu = (os.cpus()[0]?.model ?? "cpu").replaceAll(/[^A-Za-z0-9]+/g, "-").replaceAll(/^-|-$/g, "");
    const name = `${new Date().toISOString().slice(0, 10)}-node${process.versions.node}-${cpu}.json`;
    args.splice(bareJson + 1, 0, fileURLToPath(new URL(`results/${name}`, import.meta.url)));
  }
  try {
    const { values } = parseArgs({
      args,
      options: {
        quick: { type: "boolean", default: false },
        only: { type: "string" },
        rounds: { type: "string", default: "3" },
        json: { type: "string", default: fileURLToPath(new URL("results/latest.json", import.meta.url)) },
        markdown: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    const only = values.only?.split(",");
    const unknown = only?.filter((id) => !rows.some((row) => row.id === id)) ?? [];
    if (unknown.length > 0) throw new Error(`no such row: ${unknown.join(", ")}`);
    const rounds = Number(values.rounds);
    if (!Number.isInteger(rounds) || rounds < 1)
      throw new Error(`--rounds takes a whole number, not ${values.rounds}`);
    if (values.help) usage(0);
    return { ...values, only, rounds };
  } catch (error) {
    console.error(error.message);
    return usage(2);
  }
}

function usage(code) {
  console.log(
    `usage: node bench/run.mjs [--quick] [--only row,...] [--rounds N] [--json [FILE]] [--markdown FILE]\n\nrows:\n${rowTitles()}`,
  );
  process.exit(code);
}
