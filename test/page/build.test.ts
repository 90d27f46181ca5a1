/**
 * Defends: the page is one document that a policy of two hashes allows, refers to nothing outside, keeps the licences of
 * what it contains, and stays small.
 * Method: the built document is taken apart.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const { livePage } = (await import(join(root, "dist/live-page.js"))) as { livePage: string };
const [, style = ""] = /<style>([\s\S]*?)<\/style>/.exec(livePage) ?? [];
const [, script = ""] = /<script>([\s\S]*?)<\/script>/.exec(livePage) ?? [];
const markup = livePage.replace(style, () => "").replace(script, () => "");

test("one script and one style, whole, and no other code in the markup", () => {
  expect(script.length).toBeGreaterThan(50_000);
  expect(style.length).toBeGreaterThan(5000);
  expect(script).not.toMatch(/<\/script|<!--|<script/i);
  expect(() => new Function(script)).not.toThrow();
  expect(markup.match(/<(script|style)\b/g)).toEqual(["<style", "<script"]);
  expect(markup).not.toMatch(/\s(style|on[a-z]+)\s*=/i);
});

test("nothing is fetched from anywhere", () => {
  const references = [...markup.matchAll(/\b(?:src|href|action|poster|data)="([^"]*)"/g)].map(
    ([, to = ""]) => to,
  );
  expect(references.length).toBeGreaterThan(3);
  // Links that a reader may follow, and the icon in the document itself.
  expect(
    references.filter((to) => !/^(#main$|data:image\/svg|metrics$|stats\.json$|health\/detailed$)/.test(to)),
  ).toEqual([]);
  expect(style).not.toMatch(/@import|url\((?!"?#)/i);
});

test("the licences of what is inside are inside", () => {
  for (const name of ["uplot", "eventsource-client", "eventsource-parser"]) {
    const text = readFileSync(join(root, "node_modules", name, "LICENSE"), "utf8").trim();
    expect(livePage, name).toContain(text);
  }
  expect(livePage.trimEnd().endsWith("-->")).toBe(true);
});

test("it is small", () => {
  expect(Buffer.byteLength(livePage)).toBeLessThan(150_000);
});
