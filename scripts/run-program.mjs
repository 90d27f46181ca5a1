// Runs a TypeScript program of test/ outside the test runner: node scripts/run-program.mjs test/fuzz/main.ts --minutes 1
//
// Bundled first (Node 20 reads no TypeScript); packages stay outside the bundle. The program finds its own bundle in
// process.argv[1] and may start threads or processes of it.
import { spawn } from "node:child_process";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [entry, ...args] = process.argv.slice(2);
if (entry === undefined) {
  console.error("usage: node scripts/run-program.mjs PROGRAM.ts [ARGUMENT...]");
  process.exit(2);
}
const outfile = join(
  root,
  "node_modules/.cache/temporal-slab",
  `${basename(dirname(entry))}-${basename(entry, ".ts")}.mjs`,
);
await build({
  absWorkingDir: root,
  entryPoints: [entry],
  outfile,
  bundle: true,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "es2022",
  sourcemap: true,
  logLevel: "warning",
});
const child = spawn(process.execPath, ["--enable-source-maps", outfile, ...args], {
  cwd: root,
  stdio: "inherit",
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => {
  process.exitCode = signal === null ? code : 1;
});
