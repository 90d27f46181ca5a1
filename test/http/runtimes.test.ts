/**
 * Defends: the fetch handler serves Deno and Bun as it is, the server runs on their node:http, and every endpoint answers
 * there what it answers on Node.
 * Method: one program, run on each runtime as its users would, which visits itself; its answers are compared here.
 */
import { describe, expect, test } from "vitest";
import { findRuntime, lastJson, type Runtime, run } from "../examples/support.js";
import { unlessMissing } from "../programs.js";

const PROGRAM = "test/http/runtime-service.mjs";
const visited = {
  metrics: 200,
  isMetrics: true,
  type: "text/plain; version=0.0.4; charset=utf-8",
  stats: "visitor",
  health: 200,
  ready: 200,
  page: [200, true],
  stranger: 401,
  post: 405,
  head: "",
  nothing: 404,
  slashless: "./t/",
  states: true,
};

const RUNTIMES: { name: string; runtime: Runtime; args: readonly string[] }[] = [
  { name: "node", runtime: { command: process.execPath }, args: [PROGRAM] },
  {
    name: "deno",
    runtime: findRuntime("deno", "deno@2"),
    args: ["run", "--allow-all", "--quiet", "--no-lock", PROGRAM],
  },
  { name: "bun", runtime: findRuntime("bun", "bun@1"), args: ["run", PROGRAM] },
];

describe.each(RUNTIMES)("$name", ({ name, runtime, args }) => {
  test.skipIf(runtime.command === undefined)(unlessMissing("serves", runtime), async () => {
    const { code, stdout, stderr } = await run(runtime.command ?? name, args);
    expect({ stderr, ...lastJson(stdout) }).toEqual({
      stderr: "",
      runtime: name,
      fetch: name === "node" ? null : visited,
      server: visited,
      closing: "event: closing\ndata: {}",
    });
    expect(code).toBe(0);
  });
});
