/**
 * `npm run bench:reclaim [-- --rounds N --only LIST --quick --json FILE --markdown FILE --deno PATH --bun PATH --node26 PATH]`:
 * what giving pages back to the system is worth and what it costs.
 *
 *   burst    256 MiB in one epoch, freed, closed: memory of the process and of the heap, and the price of the close
 *   cycles   2,000 bursts: does anything grow?
 *   phases   the same burst beside Buffer churn and native malloc
 *   batch, reserve, decay   what the heap's defaults were chosen by
 *   faults   the price of taking a page again
 *   idle     a releaser with nothing to do
 *
 * Every measurement is a process of its own. `burst` and `cycles` also run on the other runtimes whose binaries are named
 * (--node22, --node24, --node26, --deno, --bun); the rest is Node's. Figures are medians over rounds, whose contenders
 * take turns; ratios are taken within a round. Resident pages of the heap are counted in /proc/self/pagemap: exact, but
 * Linux only. The exit code is 0 unless something broke; a goal that was missed is printed as MISS.
 */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import os from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { writeResults } from "../looks.mjs";
import { autoPageReleaser } from "./lib.mjs";
import { countsPages, hugePages } from "./memory.mjs";
import { markdownTable, printTable } from "./report.mjs";

const PARTS = ["burst", "cycles", "phases", "batch", "reserve", "decay", "faults", "idle"];
const SWEEPS = ["batch", "reserve", "decay", "faults"];
const NODE_FLAGS = ["--expose-gc", "--disable-warning=ExperimentalWarning"];
const RUNTIMES = {
  node22: NODE_FLAGS,
  node24: NODE_FLAGS,
  node26: NODE_FLAGS,
  deno: ["run", "--allow-all", "--quiet", "--no-lock", "--node-modules-dir=manual"],
  bun: ["run"],
};
const USAGE = `usage: npm run bench:reclaim -- [--rounds N] [--only ${PARTS.join(",")}] [--quick] [--json FILE] [--markdown FILE]
         [${Object.keys(RUNTIMES)
           .map((id) => `--${id} PATH`)
           .join("] [")}]`;

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { options, rounds, chosen } = readArguments();
const runtimes = [
  { name: "node", command: process.execPath, flags: NODE_FLAGS },
  ...Object.entries(RUNTIMES)
    .filter(([id]) => options[id] !== undefined)
    .map(([id, flags]) => ({ name: id, command: options[id], flags })),
];
const system = autoPageReleaser();
const machine = {
  cpu: os.cpus()[0]?.model,
  cores: os.availableParallelism(),
  system: `${os.type()} ${os.release()}`,
  hugePages: hugePages(),
  releaser: system.reason,
  loadBefore: os.loadavg()[0],
};
console.log(
  `${machine.cpu}, ${machine.cores} cores, ${machine.system}, Node ${process.versions.node}, load ${machine.loadBefore.toFixed(2)}\n` +
    `transparent huge pages: ${machine.hugePages.enabled} (shared memory: ${machine.hugePages.shmem})\n${machine.releaser}`,
);
if (machine.loadBefore > machine.cores / 2)
  console.log("The machine is busy: figures will be worse than it can do.");

/** Sweeps over what releasing does make no sense where nothing is released or its effect cannot be seen. */
const canSweep = system.enabled && (await countsPages());
const context = { rounds, quick: options.quick, runtimes, child };
const data = {};
const markdown = [];
const broken = [];
for (const id of chosen) {
  const from = performance.now();
  if (!canSweep && SWEEPS.includes(id)) {
    console.log(`\n${id}: left out: it needs a page releaser and /proc/self/pagemap`);
    continue;
  }
  const part = await import(`./parts/${id}.mjs`);
  data[id] = await part.run(context);
  for (const table of part.tables(data[id])) {
    printTable(table);
    markdown.push(markdownTable(table));
  }
  broken.push(...(part.faults?.(data[id]) ?? []));
  console.log(`(${id}: ${((performance.now() - from) / 1000).toFixed(0)} s)`);
}
if (options.markdown !== undefined) writeFileSync(options.markdown, `${markdown.join("\n")}`);
writeResults(options.json, { machine: { ...machine, loadAfter: os.loadavg()[0] }, rounds, ...data });
for (const problem of broken) console.error(problem);
process.exitCode = broken.length === 0 ? 0 : 1;

/** Runs one measurement in a process of its own; what it printed is its result. */
async function child(job, { command, flags }) {
  const args = [...flags, here("child.mjs"), JSON.stringify(job)];
  const { stdout } = await promisify(execFile)(command, args, { maxBuffer: 2 ** 26 });
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        rounds: { type: "string", default: "3" },
        only: { type: "string", default: PARTS.join(",") },
        quick: { type: "boolean", default: false },
        json: { type: "string", default: here("../results/reclaim.json") },
        markdown: { type: "string" },
        help: { type: "boolean", default: false },
        ...Object.fromEntries(Object.keys(RUNTIMES).map((id) => [id, { type: "string" }])),
      },
    });
    const rounds = Number(values.rounds);
    const chosen = values.only.split(",");
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    if (Number.isInteger(rounds) && rounds >= 1 && chosen.every((id) => PARTS.includes(id)))
      return { options: values, rounds, chosen };
  } catch (error) {
    console.error(error.message);
  }
  console.error(USAGE);
  process.exit(2);
}
