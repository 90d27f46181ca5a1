/**
 * Checks source habits: import direction, no dependencies, portable core, file length, no local addresses.
 *
 * The rules and their reasons are in tidy/rules.ts. The second half feeds them sources that must fail,
 * so that a checker gone blind is noticed.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  checkLength,
  checkManifest,
  checkSource,
  checkText,
  format,
  MAX_LINES,
  type Source,
} from "./tidy/rules.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const SKIPPED = new Set([
  ".git",
  "node_modules",
  "dist",
  "coverage",
  "test-results",
  "docs/api",
  "bench/.build",
]);
const TEXT =
  /(\.(ts|mts|cts|js|mjs|cjs|json|md|yml|yaml|sh|c|h|txt|html|css)|\/\.[a-z]+|^\.[a-z]+|\.ci\/run)$/;

const files = filesBelow("");
const read = (path: string): Source => ({ path, text: readFileSync(join(root, path), "utf8") });
const sources = files.filter((path) => /^src\/.*\.ts$/.test(path)).map(read);
const manifest = read("package.json");

describe("this repository", () => {
  test("sources import in one direction, through front doors, and stay portable", () => {
    expect(sources.length).toBeGreaterThan(0);
    const { peerDependencies = {}, devDependencies = {} } = JSON.parse(manifest.text);
    const packages = {
      peers: new Set(Object.keys(peerDependencies)),
      development: new Set(Object.keys(devDependencies)),
    };
    expect(sources.flatMap((source) => checkSource(source, packages)).map(format)).toEqual([]);
  });

  test(`no file is longer than ${MAX_LINES} lines`, () => {
    const code = files.filter((path) => /^(src|test|bench|scripts)\/.*\.(ts|mjs|js)$/.test(path)).map(read);
    expect(code.flatMap(checkLength).map(format)).toEqual([]);
  });

  test("package.json has no runtime dependencies", () => {
    expect(checkManifest(manifest).map(format)).toEqual([]);
  });

  test("no file names a registry host or a folder outside the repository", () => {
    const text = files.filter((path) => TEXT.test(path) && path !== "test/tidy.test.ts").map(read);
    expect(text.map((source) => source.path)).toContain("package-lock.json");
    expect(text.flatMap((source) => checkText(source, localRegistryHosts())).map(format)).toEqual([]);
  });
});

describe("the checker itself", () => {
  const messages = (path: string, text: string): string[] => checkSource({ path, text }).map(format);

  test.each([
    ["upwards", "src/stats/a.ts", 'import "../cli/main.js";', "stats sits below cli"],
    ["past a front door", "src/cli/a.ts", 'import "../allocator/heap/heap.js";', "src/allocator/index.ts"],
    [
      "stats that acts",
      "src/stats/a.ts",
      'export * from "../allocator/heap/free.js";',
      "allocator/{counters,",
    ],
    [
      "up inside the allocator",
      "src/allocator/words/a.ts",
      'import "../slabs/b.js";',
      "words sits below slabs",
    ],
    [
      "out of the bottom",
      "src/allocator/types.ts",
      'import "./memory/bits.js";',
      "types.ts sits below memory",
    ],
    ["own front door", "src/allocator/heap/a.ts", 'import "../index.js";', "import the file that defines it"],
    ["public face", "src/stats/a.ts", 'import "../index.js";', "front door of the layer"],
    ["out of src", "src/cli/a.ts", 'import "../../test/x.js";', "stay inside src/"],
    ["extension", "src/cli/a.ts", 'import "./b.ts";', 'ending in ".js"'],
    ["node in the core", "src/allocator/memory/a.ts", 'import fs from "node:fs";', "probe a host feature"],
    ["dynamic import", "src/stats/a.ts", 'const x = await import("node:os");', "probe a host feature"],
    ["import type", "src/stats/a.ts", 'type T = import("node:os").X;', "probe a host feature"],
    ["dependency", "src/cli/a.ts", 'import chalk from "chalk";', "has no dependencies"],
    ["unknown layer", "src/extras/a.ts", "export {};", "give it its place in LAYERS"],
    ["stray allocator file", "src/allocator/util.ts", "export {};", "move it into one of"],
    ["any", "src/allocator/heap/a.ts", "const x: any = 1;", "use `unknown`"],
    ["process", "src/allocator/seats/a.ts", "const x = process.pid;", "probe `globalThis.process`"],
    ["Buffer", "src/stats/a.ts", "const x = { y: Buffer };", "probe `globalThis.Buffer`"],
    ["BigInt literal", "src/allocator/heap/a.ts", "const x = 1n;", "float64"],
    ["BigInt call", "src/allocator/heap/a.ts", "const x = BigInt(1);", "float64"],
  ])("reports %s", (_name, path, text, expected) => {
    const findings = messages(path, `// first line\n${text}\n`);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toContain(expected);
    const line = expected.startsWith("give it") || expected.startsWith("move it") ? 1 : 2;
    expect(findings[0]).toMatch(new RegExp(`^${path}:${line}: `));
  });

  test.each([
    ["src/index.ts", 'export { SlabHeap } from "./allocator/index.js";'],
    ["src/cli/a.ts", 'import { x } from "./b.js"; import "../index.js"; import "node:fs";'],
    ["src/cli/a.ts", 'import "../stats/index.js"; import "../allocator/index.js";'],
    ["src/stats/a.ts", 'import "../allocator/words/handle.js"; import "../allocator/counters/fields.js";'],
    ["src/allocator/index.ts", 'export { x } from "./heap/heap.js"; export { y } from "./types.js";'],
    ["src/allocator/heap/a.ts", 'import "../memory/bits.js"; import "../errors.js"; import "./b.js";'],
    ["src/allocator/errors.ts", 'import type { Handle } from "./types.js";'],
    ["src/allocator/seats/a.ts", "const p = (globalThis as { process?: { pid: number } }).process?.pid;"],
    ["src/allocator/heap/heap.ts", "export class H { readonly i64!: BigInt64Array; }"],
    ["src/cli/a.ts", "export const pid: any = process.pid;"],
  ])("accepts %s %s", (path, text) => {
    expect(messages(path, text)).toEqual([]);
  });

  test("an optional peer may be imported outside the core only", () => {
    const text = 'import { Registry } from "prom-client";';
    const peers = new Set(["prom-client"]);
    expect(checkSource({ path: "src/telemetry/a.ts", text }, { peers })).toEqual([]);
    expect(checkSource({ path: "src/stats/a.ts", text }, { peers })).toHaveLength(1);
  });

  test("a development dependency may be imported where the build bundles it only", () => {
    const text = 'import width from "string-width";\n';
    const development = new Set(["string-width"]);
    expect(checkSource({ path: "src/cli/a.ts", text }, { development })).toEqual([]);
    expect(checkSource({ path: "src/page/a.ts", text }, { development })).toEqual([]);
    expect(checkSource({ path: "src/http/a.ts", text }, { development })).toHaveLength(1);
  });

  test("the live page knows http by the type of its events only, and nothing of Node", () => {
    const type = 'import type { LiveState } from "../http/live-state.js";\n';
    expect(messages("src/page/a.ts", type)).toEqual([]);
    expect(messages("src/page/a.ts", 'import { a } from "../http/server.js";\n')).toHaveLength(1);
    expect(messages("src/page/a.ts", 'import "node:fs";\n')).toHaveLength(1);
    expect(messages("src/http/a.ts", 'const page = await import("#live-page");\n')).toEqual([]);
    expect(messages("src/telemetry/a.ts", 'const page = await import("#live-page");\n')).toHaveLength(1);
  });

  test("reports long files, dependencies, registry hosts and outside folders", () => {
    const long = { path: "src/a.ts", text: "x\n".repeat(MAX_LINES + 1) };
    expect(checkLength(long).map(format)[0]).toContain(`${MAX_LINES + 1} lines`);
    expect(checkLength({ path: "src/a.ts", text: "x\n".repeat(MAX_LINES) })).toEqual([]);

    const bad = { path: "package.json", text: '{\n"dependencies": {\n"left-pad": "1" } }' };
    expect(checkManifest(bad).map(format)[0]).toMatch(/^package\.json:3: dependencies holds left-pad/);

    const text = (line: string, path = "docs/a.md"): string[] =>
      checkText({ path, text: `\n${line}` }, ["mirror.example:4873"]).map(format);
    expect(text('"resolved": "https://registry.npmjs.org/x"')[0]).toMatch(
      /^docs\/a\.md:2: names the registry/,
    );
    expect(text("http://mirror.example:4873/x")[0]).toContain("mirror.example:4873");
    expect(text("registry=anything")[0]).toContain("sets a registry");
    expect(text("see ../shared/design")[0]).toContain("outside the repository");
    expect(text("../shared/traces", "test/a.ts")).toEqual([]);
    expect(text("const x = registry.entries();")).toEqual([]);
  });
});

function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (SKIPPED.has(path)) return [];
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() && statSync(join(root, path)).size < 4_000_000 ? [path] : [];
  });
}

/** The registry npm is set to on this machine, as npm tells its scripts: it must not leak into files. */
function localRegistryHosts(): string[] {
  const url = process.env.npm_config_registry;
  return url === undefined ? [] : [new URL(url).host];
}
