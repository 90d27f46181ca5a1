// Runs a TypeScript program of test/ outside the test runner: node scripts/run-program.mjs test/fuzz/main.ts --minutes 1
//
// The program finds its own bundle in process.argv[1] and may start threads or processes of it.
import { spawn } from "node:child_process";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleProgram } from "./bundle-program.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [entry, ...args] = process.argv.slice(2);
if (entry === undefined) {
  console.error("usage: node scripts/run-program.mjs PROGRAM.ts [ARGUMENT...]");
  process.exit(2);
}
const bundle = await bundleProgram(entry, `${basename(dirname(entry))}-${basename(entry, ".ts")}`);
const child = spawn(process.execPath, ["--enable-source-maps", bundle, ...args], {
  cwd: root,
  stdio: "inherit",
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => {
  process.exitCode = signal === null ? code : 1;
});
