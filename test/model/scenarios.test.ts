/**
 * A short look at every scenario on every memory, so that a change that breaks one shows in the tests. The long look,
 * with the counts and bounds that are promised, is `npm run explore`.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { parseSchedule } from "./explorer/driver.js";
import { exploreAtRandom, exploreDepthFirst, replay } from "./explorer/explore.js";
import { type Compiled, Sources } from "./explorer/source.js";
import { killsOf, MODES, plan } from "./plan.js";
import { SCENARIOS } from "./scenarios/index.js";
import { testSeed } from "./seed.js";

let sources: Sources;
let code: Compiled;
beforeAll(async () => {
  sources = new Sources();
  code = await sources.compile();
});

test("names are unique, and there are enough of them", () => {
  expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
  expect(SCENARIOS.length).toBeGreaterThanOrEqual(100);
  expect(SCENARIOS.filter((scenario) => killsOf(scenario) > 0).length).toBeGreaterThanOrEqual(35);
});

test("the plan gives core races three interruptions, and every scenario all memories", () => {
  const tasks = plan(SCENARIOS);
  for (const scenario of SCENARIOS) {
    const own = tasks.filter((task) => task.scenario === scenario.name && task.kind === "depth-first");
    expect(own.map(({ mode }) => mode)).toEqual([...MODES]);
    for (const { mode, limits } of own) {
      const least = (scenario.core === true ? 3 : 2) - (mode === "weak" ? 1 : 0);
      expect(limits.preemptions).toBeGreaterThanOrEqual(least);
    }
  }
});

const seed = testSeed("scenarios");

describe.each(MODES)("on %s", (mode) => {
  test.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))("%s", (_, scenario) => {
    const limits = { preemptions: 1, kills: killsOf(scenario), delays: 1 };
    const depthFirst = exploreDepthFirst(scenario, code, mode, limits, { ms: 5000, schedules: 60 });
    expect(depthFirst.violation, `schedule ${depthFirst.schedule}`).toBeUndefined();
    const random = exploreAtRandom(
      scenario,
      code,
      mode,
      { ...limits, preemptions: 9, delays: 9 },
      { ms: 5000, schedules: 20 },
      seed,
    );
    expect(random.violation, `schedule ${random.schedule}, seed ${seed}`).toBeUndefined();
    expect(depthFirst.complete).toBeGreaterThan(0);
  });
});

test("what goes wrong is repeated by its schedule, on a transcript", async () => {
  // The pending bits are cleared after the scan: a remote free in between is never taken back.
  const broken = await sources.compile([
    {
      file: "slabs/remote-free.ts",
      find: "    if (((m[pending + (slab >> 5)] as number) & bit) === 0) orSeq(m, pending + (slab >> 5), bit);\n",
      replace: "",
    },
  ]);
  const scenario = SCENARIOS.find(({ name }) => name === "remote-collect");
  if (scenario === undefined) throw new Error("no such scenario");
  const limits = { preemptions: 2, kills: 0, delays: 2 };
  for (const mode of MODES) {
    const { violation, schedule } = exploreDepthFirst(scenario, broken, mode, limits, { ms: 10_000 });
    expect(violation).toContain("I2");
    const again = replay(scenario, broken, mode, limits, parseSchedule(schedule ?? ""));
    expect(again.violation).toBe(violation);
    expect(again.trace.join("\n")).toMatch(
      /T2 .* CAS slot\[0\]=ALLOC generation 0 -> slot\[0\]=REMOTE_FREED/,
    );
    const sound = replay(scenario, code, mode, limits, []);
    expect(sound.violation).toBeUndefined();
  }
});
