// Runs after tsc: bundles the library, the live page and the command, drops output whose source is gone and keeps the
// command executable.
//
// Why bundle: V8 loads an imported constant each time it is used, but the bundler writes the literal offsets of
// src/allocator/memory/offsets.ts into the code. Names stay as they are, and source maps lead to src/.
//
// dist/ is updated in place rather than emptied first, so that a test run or bench
// going on at the same time never finds the package missing.
import { chmodSync, existsSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { buildPage } from "./build-page.mjs";
import { licencesOf } from "./licences.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");
const REQUIRE =
  'import { createRequire as tslabRequire } from "node:module"; const require = tslabRequire(import.meta.url);';

/** The package's entry points; what they share becomes one chunk, so that a class is the same whichever it came from. */
const ENTRIES = readdirSync(join(root, "src")).filter((name) => name.endsWith(".ts"));

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ENTRIES.map((name) => `src/${name}`),
  // Layers above the core name some of Node's; the live page is a file of its own, loaded when it is asked for.
  external: ["node:*", "#live-page"],
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

/**
 * The command is bundled apart: what it takes from npm goes in, so that the package depends on nothing, and the library
 * stays what users import, by its own name. `worker.js` lies beside whichever chunk starts it.
 */
const command = await build({
  absWorkingDir: root,
  entryPoints: [
    { in: "src/cli/main.ts", out: "main" },
    { in: "src/cli/workload/worker.ts", out: "worker" },
  ],
  plugins: [libraryByName()],
  outdir: "dist/cli",
  chunkNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  // CommonJS packages in the bundle may ask for Node's modules.
  banner: { js: REQUIRE },
  minifySyntax: true,
  minifyWhitespace: false,
  sourcemap: true,
  // Said in full in a file beside it.
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});

const NOTICES = "dist/cli/THIRD-PARTY-NOTICES.txt";
writeFileSync(join(root, NOTICES), licencesOf(Object.keys(command.metafile.inputs)));

/** dist-relative path of the source file an output came from, without its extension. */
const stem = (path) => path.replace(/\.(d\.ts|js)(\.map)?$/, "");
const bundled = new Set(
  [
    ...Object.keys(metafile.outputs),
    ...Object.keys(command.metafile.outputs),
    NOTICES,
    ...(await buildPage()),
  ].map((path) => join(root, path)),
);

for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const path = join(entry.parentPath, entry.name);
  const hasSource = existsSync(join(root, "src", `${stem(path.slice(dist.length + 1))}.ts`));
  if (!hasSource && !bundled.has(path)) rmSync(path);
}

// The bundle holds the library's code; its folders keep their types only, so that nobody imports a second copy.
const inBundle = new Set(Object.keys(metafile.inputs).map((path) => path.split("/")[1]));
for (const layer of [...inBundle, "cli"].filter(
  (name) => !name.endsWith(".ts") && existsSync(join(dist, name)),
)) {
  for (const entry of readdirSync(join(dist, layer), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    // Nobody imports the command: of it only what runs is kept.
    const superfluous = layer === "cli" ? /./ : /\.js(\.map)?$/;
    if (entry.isFile() && superfluous.test(entry.name) && !bundled.has(path)) rmSync(path);
  }
}
removeEmptyFolders(dist);

const program = join(dist, "cli/main.js");
if (!readFileSync(program, "utf8").startsWith("#!/usr/bin/env node\n")) {
  throw new Error("dist/cli/main.js has no shebang: start src/cli/main.ts with #!/usr/bin/env node");
}
chmodSync(program, 0o755);

/** Imports of the package's entry files become imports of the package. */
function libraryByName() {
  const names = new Map(
    ENTRIES.map((name) => [
      join(root, "src", name),
      name === "index.ts" ? "temporal-slab" : `temporal-slab/${name.slice(0, -3)}`,
    ]),
  );
  return {
    name: "library-by-name",
    setup({ onResolve }) {
      onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
        const name = names.get(join(resolveDir, path).replace(/\.js$/, ".ts"));
        return name === undefined ? undefined : { path: name, external: true };
      });
    },
  };
}

function removeEmptyFolders(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeEmptyFolders(join(folder, entry.name));
  }
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}
