/**
 * Defends: a stack's text, of whichever engine, yields function, URL, line and column of every frame, and paths become
 * the URLs DevTools knows scripts by.
 * Method: texts as V8, JavaScriptCore and Firefox write them, and one V8 writes now.
 */
import { expect, test } from "vitest";
import { parseStack, toUrl } from "../../../src/stats/sites/stack-text.js";

const flat = (text: string): unknown[] =>
  parseStack(text).map(({ functionName, url, line, column }) => [functionName, url, line, column]);

test("V8", () => {
  const text = `Error: at first sight
    at leak (file:///app/a.js:10:5)
    at Foo.bar [as baz] (/app/b (old)/b.cjs:3:1)
    at async Promise.all (index 0)
    at new Foo (https://x.org/s.js?v=1:2:7)
    at async run (node:internal/x:1:2)
    at Array.map (<anonymous>)
    at Object.<anonymous> (C:\\app\\c.js:8:9)
    at file:///app/top.mjs:1:1
    at async file:///app/top.mjs:2:3
    at eval (eval at go (/app/d.js:4:3), <anonymous>:5:6)
    at process.processTicks (native)`;
  expect(flat(text)).toEqual([
    ["leak", "file:///app/a.js", 10, 5],
    ["bar", "file:///app/b%20(old)/b.cjs", 3, 1],
    ["all", "", 0, 0],
    ["Foo", "https://x.org/s.js?v=1", 2, 7],
    ["run", "node:internal/x", 1, 2],
    ["map", "", 0, 0],
    ["", "file:///C:/app/c.js", 8, 9],
    ["", "file:///app/top.mjs", 1, 1],
    ["", "file:///app/top.mjs", 2, 3],
    ["eval", "", 5, 6],
    ["processTicks", "", 0, 0],
  ]);
});

test("JavaScriptCore and Firefox", () => {
  const text = `leak@file:///app/node_modules/@x/a.js:10:5
map@[native code]
@file:///app/b.js:1:2
module code@/app/c.js:3:4
async*run@https://x.org/d.js:5:6
https://x.org/e.js:7:8
`;
  expect(flat(text)).toEqual([
    ["leak", "file:///app/node_modules/@x/a.js", 10, 5],
    ["map", "", 0, 0],
    ["", "file:///app/b.js", 1, 2],
    ["", "file:///app/c.js", 3, 4],
    ["run", "https://x.org/d.js", 5, 6],
    ["", "https://x.org/e.js", 7, 8],
  ]);
});

test("what this engine writes right now", () => {
  const here = function somewhere(): unknown {
    return parseStack(String(new Error("here").stack))[0];
  };
  const [frame] = [here()];
  expect(frame).toMatchObject({ functionName: "somewhere" });
  expect((frame as { url: string }).url).toMatch(/^file:\/\/\/.*stack-text\.test\.ts$/);
  expect((frame as { line: number }).line).toBeGreaterThan(50);
});

test.each([
  ["file:///a b.js", "file:///a b.js"],
  ["/a b#c?d.js", "file:///a%20b%23c%3Fd.js"],
  ["D:\\x\\y.js", "file:///D:/x/y.js"],
  ["\\\\server\\share\\y.js", "file://server/share/y.js"],
  ["node:fs", "node:fs"],
  ["evalmachine.<anonymous>", "evalmachine.<anonymous>"],
  ["/\ud800.js", "file:///\ud800.js"],
  ["", ""],
  [null, ""],
  [undefined, ""],
])("%j is %j", (script, url) => {
  expect(toUrl(script)).toBe(url);
});
