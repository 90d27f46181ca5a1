/**
 * A build of the heap without telemetry, to measure what telemetry costs.
 *
 * The sources are changed on the way through the bundler, and every change must find its place: a build
 * that still counts would make the comparison meaningless, so `checkSilent` also looks at the result.
 */
import { mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

/** Nothing is done; the bundler drops what follows. */
const emptied = (name) => [new RegExp(`(export function ${name}\\([^{]*\\{)`), "$1 return;"];

/** Per source: what is taken out. */
const CHANGES = {
  "counters/record.ts": [emptied("count"), emptied("countLarge")],
  // Counting is gone; the words that recycling needs stay.
  "counters/slab-counts.ts": [
    [/ {2}if \(m\[record \+ SLAB_COUNTS\] !== m\[record \+ SLAB_FOLDED\]\) commit\(.*\);/, ""],
    [
      / {2}const folded = m\[record \+ SLAB_FOLDED\] as number;/,
      "  m[record + SLAB_COUNTS] = counts - ended; return;\n$&",
    ],
  ],
  "counters/epoch-facts.ts": [emptied("noteRecycled"), emptied("noteClose")],
  "counters/histogram.ts": [emptied("recordDuration")],
  "heap/close.ts": [[/const measureRss = mayMeasureRss\(\);/, "const measureRss = false;"]],
  // A live count and nothing beside it; no way out every 1024th time.
  "heap/fast-path.ts": [
    [/\+ 262145\) \/\* COUNT_ALLOC \*\/ \| 0/g, "+ 1) | 0", 4],
    [/slot === 0 \|\| \(counts & 268173312\) \/\* SAMPLE_MASK \*\/ === 0/g, "slot === 0", 4],
  ],
  "heap/alloc.ts": [[/as number\) \+ COUNT_ALLOC\) \| 0/, "as number) + 1) | 0"]],
};

function change(path, text) {
  const wanted = Object.entries(CHANGES).find(([file]) => path.endsWith(`allocator/${file}`));
  if (wanted === undefined) return text;
  return wanted[1].reduce((source, [pattern, replacement, times = 1]) => {
    const found = source.match(new RegExp(pattern.source, "g"))?.length ?? 0;
    if (found !== times)
      throw new Error(`${path}: expected ${pattern} ${times} times, found it ${found} times`);
    return source.replace(pattern, replacement);
  }, text);
}

/** Bundles src/index.ts into `outfile`, with telemetry or without. */
export async function buildLibrary(outfile, { telemetry }) {
  mkdirSync(dirname(outfile), { recursive: true });
  await build({
    absWorkingDir: root,
    stdin: {
      contents: `export * from "./src/index.js"; export { startSampling } from "./src/stats.js";`,
      resolveDir: root,
    },
    outfile,
    bundle: true,
    format: "esm",
    platform: "neutral",
    target: "es2022",
    minifySyntax: true,
    logLevel: "warning",
    plugins: telemetry
      ? []
      : [
          {
            name: "without-telemetry",
            setup({ onLoad }) {
              onLoad({ filter: /src\/allocator\/.*\.ts$/ }, async ({ path }) => ({
                contents: change(path, await readFile(path, "utf8")),
                loader: "ts",
              }));
            },
          },
        ],
  });
  return outfile;
}

/** Throws unless the heap has counted (`telemetry`), or has not. */
export function checkCounted(heap, telemetry) {
  const { slowPathHits, newSlabs, epochCloses } = heap.counters();
  if (slowPathHits + newSlabs + epochCloses > 0 !== telemetry) {
    throw new Error(`a build ${telemetry ? "with" : "without"} telemetry counted ${slowPathHits + newSlabs}`);
  }
}
