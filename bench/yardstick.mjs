/** Native malloc: compiles yardstick.c when the system has a C compiler, and runs it. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadTrace } from "./inputs.mjs";
import { median, tailResult } from "./stats.mjs";

/** A compiled yardstick, or `{ skipped: why }`. `close()` removes the folder it was built in. */
export function buildYardstick(trace) {
  const folder = mkdtempSync(join(tmpdir(), "tslab-bench-"));
  const close = () => rmSync(folder, { recursive: true, force: true });
  const binary = join(folder, "yardstick");
  const source = fileURLToPath(new URL("yardstick.c", import.meta.url));
  // Without -fno-builtin-malloc the compiler may decide that a malloc nobody reads is no malloc.
  const built = spawnSync("cc", ["-O3", "-fno-builtin-malloc", "-pthread", source, "-o", binary], {
    encoding: "utf8",
  });
  if (built.error || built.status !== 0) {
    close();
    return { skipped: built.error ? "no C compiler (cc) here" : `cc failed: ${built.stderr.trim()}` };
  }
  const events = join(folder, "trace.bin");
  return {
    close,
    run(mode, seconds) {
      if (mode === "trace" && !existsSync(events)) writeFileSync(events, loadTrace(trace).events);
      const printed = execFileSync(binary, [mode, String(seconds), events], { encoding: "utf8" });
      const numbers = printed.trim().split("\n").map(Number);
      if (numbers.length === 0 || numbers.some(Number.isNaN))
        throw new Error(`yardstick ${mode}: ${printed}`);
      return mode.startsWith("tail") ? tail(numbers) : { value: median(numbers), samples: numbers };
    },
  };
}

/** Ten lines: p50 p99 p99.9 p99.99 max, of the timer alone and then of malloc. */
function tail(numbers) {
  const [timer, malloc] = [numbers.slice(0, 5), numbers.slice(5)].map(([p50, p99, p999, p9999, max]) => ({
    p50,
    p99,
    p999,
    p9999,
    max,
  }));
  return tailResult(timer, malloc);
}
