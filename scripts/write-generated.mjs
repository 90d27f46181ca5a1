// npm run generate: writes the files that are made from the declared fields of the stats document, and the table of metrics.
//
// test/stats/document/schema.test.ts and test/telemetry/declared.test.ts fail while they are stale. Works from src/, so nothing need be built before.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

const { outputFiles } = await build({
  absWorkingDir: root,
  stdin: {
    contents: `
      export { statsReference } from "./src/stats/document/reference.js";
      export { statsSchema } from "./src/stats/document/schema.js";
      export { withMetricsTable } from "./src/telemetry/reference.js";`,
    resolveDir: root,
  },
  bundle: true,
  write: false,
  format: "esm",
  platform: "neutral",
  target: "es2022",
  logLevel: "warning",
});
const code = Buffer.from(outputFiles[0].contents).toString("base64");
const { statsReference, statsSchema, withMetricsTable } = await import(`data:text/javascript;base64,${code}`);

write("schema/stats-document.schema.json", `${JSON.stringify(statsSchema(), undefined, 2)}\n`);
write("docs/stats-reference.md", statsReference());
write("docs/metrics.md", withMetricsTable(readFileSync(join(root, "docs/metrics.md"), "utf8")));

function write(path, text) {
  const target = join(root, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text);
  console.log(path);
}
