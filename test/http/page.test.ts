/**
 * Defends: the policy of the live page admits exactly the script and style elements that are in it.
 * Method: documents with elements of all kinds, hashed here by another implementation; then the page as built.
 */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { loadPage, makePage } from "../../src/http/page.js";

const hash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
const directive = (policy: string, name: string): string | undefined =>
  policy
    .split("; ")
    .find((part) => part.startsWith(`${name} `))
    ?.slice(name.length + 1);

test("inline elements are admitted by their hashes, as a parser sees them", async () => {
  const scripts = ["const a = '<style>x</style>';\n", 'console.log("ä → ö");'];
  const style = "p > a { color: red }\nb {}";
  const html =
    `<!doctype html><style media="all">${style.replace("\n", "\r\n")}</style>` +
    `<script type="module">${scripts[0]}</script><SCRIPT>${scripts[1]}</SCRIPT >` +
    '<script async src="x.js"></script>';
  const { policy, body } = await makePage(html);
  expect(directive(policy, "script-src")).toBe(scripts.map(hash).join(" "));
  expect(directive(policy, "style-src")?.split(" ")).toContain(hash(style));
  expect(new TextDecoder().decode(body)).toBe(html);
});

test("without any, none is admitted", async () => {
  const { policy } = await makePage("<!doctype html><title>t</title>");
  expect([directive(policy, "script-src"), directive(policy, "style-src")]).toEqual(["'none'", "'none'"]);
  expect(policy).toMatch(/^default-src 'none'/);
  for (const rule of [
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ]) {
    expect(policy).toContain(rule);
  }
  expect(policy).not.toMatch(/unsafe|\*|https?:/);
});

test("the page as built refers to nothing outside, and its policy admits all it has", async () => {
  const { body, policy } = await loadPage();
  const html = new TextDecoder().decode(body);
  expect(html).toMatch(/^<!doctype html>/i);
  expect(html).not.toMatch(/<(?:script|link|img|iframe)[^>]*\s(?:src|href)\s*=\s*["']?(?!data:)[^"'\s>]/i);
  const elements = html.match(/<\/(?:script|style)\s*>/gi) ?? [];
  const hashes = new Set(policy.match(/'sha256-[^']+'/g));
  expect(hashes.size).toBeGreaterThanOrEqual(elements.length === 0 ? 0 : 1);
  expect(hashes.size).toBeLessThanOrEqual(elements.length);
  expect((await loadPage()).body).toBe(body);
});
