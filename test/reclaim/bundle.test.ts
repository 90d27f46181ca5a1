/**
 * Defends: the entry point can be bundled for pages and programs alike, without a warning and without naming a module of any
 * runtime to the bundler; in a page it loads and answers "none".
 * Method: esbuild on the sources, the result in a context that has what pages have.
 */
import { join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { build } from "esbuild";
import { expect, test } from "vitest";

const entry = join(import.meta.dirname, "../../src/reclaim.ts");

async function bundle(platform: "browser" | "node" | "neutral", format: "esm" | "iife") {
  const { warnings, outputFiles, metafile } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    platform,
    format,
    ...(format === "iife"
      ? { globalName: "reclaim", define: { "import.meta.url": '"https://page.test/app.js"' } }
      : {}),
    logLevel: "silent",
  });
  const imports = Object.values(metafile.inputs).flatMap((input) => input.imports);
  return { warnings, text: outputFiles[0]?.text ?? "", outside: imports.filter(({ external }) => external) };
}

test.each(["browser", "node", "neutral"] as const)(
  "platform %s: no warning, nothing from outside",
  async (platform) => {
    const { warnings, outside } = await bundle(platform, "esm");
    expect({ warnings, outside }).toEqual({ warnings: [], outside: [] });
  },
);

test("in a page: none, and by name an error", async () => {
  const { text } = await bundle("browser", "iife");
  const page = createContext({});
  runInContext(text, page);
  const answer = runInContext(
    `(() => {
      const { backend, enabled, reason, release } = reclaim.autoPageReleaser();
      let code = "";
      try { reclaim.createPageReleaser("koffi"); } catch (error) { code = error.code; }
      return JSON.stringify({ backend, enabled, reason, released: release(new SharedArrayBuffer(8192), 0, 8192), code });
    })()`,
    page,
  ) as string;
  expect(JSON.parse(answer)).toEqual({
    backend: "none",
    enabled: false,
    reason: "No pages are released, since this runtime has no way to call the system's madvise.",
    released: -1,
    code: "ERR_TSLAB_PAGE_RELEASER_UNAVAILABLE",
  });
});
