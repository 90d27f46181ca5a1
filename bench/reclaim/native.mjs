/** Native malloc: compiles phases.c when the system has a C compiler, and runs it on the sizes of a burst. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { burstSizes, MIB } from "./bursts.mjs";

/** A compiled program, or `{ skipped: why }`. `close()` removes the folder it was built in. */
export function buildPhases() {
  const folder = mkdtempSync(join(tmpdir(), "tslab-bench-"));
  const close = () => rmSync(folder, { recursive: true, force: true });
  const binary = join(folder, "phases");
  const source = fileURLToPath(new URL("phases.c", import.meta.url));
  // Without -fno-builtin-malloc the compiler may decide that a malloc nobody reads is no malloc.
  const built = spawnSync("cc", ["-O3", "-fno-builtin-malloc", source, "-o", binary], { encoding: "utf8" });
  if (built.error || built.status !== 0) {
    close();
    return { skipped: built.error ? "no C compiler (cc) here" : `cc failed: ${built.stderr.trim()}` };
  }
  return {
    close,
    run({ shape, mib, keepEvery, trims }) {
      const sizes = join(folder, "sizes");
      writeFileSync(sizes, burstSizes(shape, mib * MIB));
      return JSON.parse(
        execFileSync(binary, [sizes, String(keepEvery), trims ? "1" : "0"], { encoding: "utf8" }),
      );
    },
  };
}
