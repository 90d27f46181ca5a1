// Bundles a TypeScript program of test/, because Node 20 reads no TypeScript; packages stay outside the bundle.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** `entry` is a path from the project's root; returns the bundle's, which is called `name`. */
export async function bundleProgram(entry, name) {
  const outfile = join(root, "node_modules/.cache/temporal-slab", `${name}.mjs`);
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
  return outfile;
}
