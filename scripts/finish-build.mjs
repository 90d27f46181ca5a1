// Runs after tsc: bundles the library, drops output whose source is gone and keeps the command executable.
//
// Why bundle: V8 loads an imported constant each time it is used, but the bundler writes the literal offsets of
// src/allocator/memory/offsets.ts into the code. Names stay as they are, and source maps lead to src/.
//
// dist/ is updated in place rather than emptied first, so that a test run or bench
// going on at the same time never finds the package missing.
import { chmodSync, existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");

/** The package's entry points; what they share becomes one chunk, so that a class is the same whichever it came from. */
const ENTRIES = readdirSync(join(root, "src")).filter((name) => name.endsWith(".ts"));

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ENTRIES.map((name) => `src/${name}`),
  // Only src/async.ts names one.
  external: ["node:*"],
  outbase: "src",
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "neutral",
  target: "es2022",
  // Inlines the literals; keeps names and layout readable.
  minifySyntax: true,
  sourcemap: true,
  metafile: true,
  logLevel: "warning",
});

/** dist-relative path of the source file an output came from, without its extension. */
const stem = (path) => path.replace(/\.(d\.ts|js)(\.map)?$/, "");
const bundled = new Set(Object.keys(metafile.outputs).map((path) => join(root, path)));

for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const path = join(entry.parentPath, entry.name);
  const hasSource = existsSync(join(root, "src", `${stem(path.slice(dist.length + 1))}.ts`));
  if (!hasSource && !bundled.has(path)) rmSync(path);
}

// The bundle holds the library's code; its folders keep their types only, so that nobody imports a second copy.
const inBundle = new Set(Object.keys(metafile.inputs).map((path) => path.split("/")[1]));
for (const layer of [...inBundle].filter((name) => !name.endsWith(".ts") && existsSync(join(dist, name)))) {
  for (const entry of readdirSync(join(dist, layer), { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && /\.js(\.map)?$/.test(entry.name)) rmSync(join(entry.parentPath, entry.name));
  }
}
removeEmptyFolders(dist);

if (existsSync(join(root, "src/cli/main.ts"))) {
  const command = join(dist, "cli/main.js");
  if (!readFileSync(command, "utf8").startsWith("#!/usr/bin/env node\n")) {
    throw new Error("dist/cli/main.js has no shebang: start src/cli/main.ts with #!/usr/bin/env node");
  }
  chmodSync(command, 0o755);
}

function removeEmptyFolders(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeEmptyFolders(join(folder, entry.name));
  }
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}
