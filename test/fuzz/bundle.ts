/** The fuzz program as a file that threads can be started from. */
import { bundleProgram } from "../../scripts/bundle-program.mjs";

/** Bundles `main.ts` under a name of its own; returns the file. */
export function bundleFuzz(name: string): Promise<string> {
  return bundleProgram("test/fuzz/main.ts", `fuzz-${name}`);
}
