/** The fuzz program as a file that threads can be started from: Node 20 reads no TypeScript. */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Bundles `main.ts` under a name of its own; returns the file. */
export async function bundleFuzz(name: string): Promise<string> {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const outfile = `${root}node_modules/.cache/temporal-slab/fuzz-${name}.mjs`;
  await build({
    absWorkingDir: root,
    entryPoints: [fileURLToPath(new URL("main.ts", import.meta.url))],
    outfile,
    bundle: true,
    packages: "external",
    format: "esm",
    platform: "node",
    target: "es2022",
    sourcemap: true,
    logLevel: "warning",
  });
  return outfile;
}
