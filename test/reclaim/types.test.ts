/**
 * Defends: the types compile for users whose settings name no more of the language than the package's target, ES2022, and
 * who check declarations too.
 * Method: the compiler on the built package's declarations, with a program that names its own dependencies only.
 */
import { join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";

/** Inside this package, so that its own name leads to dist/. No such file exists. */
const file = join(import.meta.dirname, "user.ts");

function errorsOf(text: string, lib: readonly string[]): string[] {
  const options: ts.CompilerOptions = {
    noEmit: true,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    types: [],
    lib: [...lib],
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (path) => path === file || fileExists.call(host, path);
  host.readFile = (path) => (path === file ? text : readFile.call(host, path));
  host.getSourceFile = (path, how, ...more) =>
    path === file ? ts.createSourceFile(path, text, how) : getSourceFile.call(host, path, how, ...more);
  const program = ts.createProgram([file], options, host);
  const sources = program.getSourceFiles().map(({ fileName }) => fileName);
  expect(
    sources.filter((path) => path.includes("/src/")),
    "the declarations, not the sources",
  ).toEqual([]);
  return ts
    .getPreEmitDiagnostics(program)
    .map(
      ({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`,
    );
}

test.each([
  [
    "the releaser alone",
    `import { autoPageReleaser } from "temporal-slab/reclaim"; autoPageReleaser().reason;`,
  ],
  [
    "with a heap",
    `import { SlabHeap, type ReleasePolicy } from "temporal-slab";
     import { createPageReleaser, type PageReleaser } from "temporal-slab/reclaim";
     const own: PageReleaser = { ...createPageReleaser("none"), release: () => -1 };
     const releasePolicy: ReleasePolicy = { decayMs: 50 };
     const heap = SlabHeap.create({ pageReleaser: own, releasePolicy });
     heap.trim({ keepBytes: 0 }).bytesReleased.toFixed();
     heap[Symbol.dispose]();`,
  ],
])("%s", { timeout: 60_000 }, (_, text) => {
  expect(errorsOf(text, ["lib.es2022.d.ts"])).toEqual([]);
  expect(errorsOf(`${text} nonsense;`, ["lib.es2022.d.ts"]), "errors are seen").toHaveLength(1);
});
