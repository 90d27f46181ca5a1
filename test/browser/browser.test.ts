/**
 * Defends: every entry point that promises to run in browsers does: heap, statistics, pool, malloc, ring and data, in a
 * cross-origin isolated page with a Web Worker, blocking in the worker and awaiting in the page.
 * Method: the built package, as shipped, in a real headless Chromium; the page checks and posts what it found.
 */
import { join } from "node:path";
import { expect, test } from "vitest";
import { findChromium, unlessMissing } from "../programs.js";
import { open, serve } from "./chromium.js";

const browser = findChromium();
const root = join(import.meta.dirname, "../..");

test.skipIf(browser.command === undefined)(
  unlessMissing("the page finds everything right", browser),
  async () => {
    let log = "";
    let tell: (body: string) => void = () => {};
    const posted = new Promise<string>((resolve) => {
      tell = resolve;
    });
    const folders = { dist: join(root, "dist"), page: join(root, "test/browser/page") };
    const server = await serve(folders, (body) => tell(body));
    const close = open(browser.command ?? "", server, "/page/index.html", (text) => {
      log += text;
    });
    const late = setTimeout(
      () => tell(JSON.stringify({ page: `no answer; log: ${log.slice(-3000)}` })),
      45_000,
    );
    try {
      const results = JSON.parse(await posted) as Record<string, string>;
      expect(Object.fromEntries(Object.entries(results).filter(([, result]) => result !== "ok"))).toEqual({});
      expect(Object.keys(results)).toHaveLength(10);
    } finally {
      clearTimeout(late);
      close();
      server.closeAllConnections();
      server.close();
    }
  },
);
