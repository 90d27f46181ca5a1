/**
 * Defends: points in time stay as far apart as asked whatever the work in between takes, missed ones are left out rather
 * than made up for, and waiting ends at once when the command does; signals end it with the right code.
 * Method: a clock of the test's own; an abort before and during a wait; signals as the process would emit them.
 */
import { afterEach, describe, expect, it, vi } from "vitest";
import { Ending } from "../../../src/cli/screen/ending.js";
import { Pace } from "../../../src/cli/screen/pace.js";

const { sleeps } = vi.hoisted(() => ({ sleeps: [] as number[] }));
vi.mock("node:timers/promises", () => ({
  setTimeout: async (ms: number, _: unknown, { signal }: { signal: AbortSignal }) => {
    signal.throwIfAborted();
    sleeps.push(ms);
  },
}));

describe("a pace", () => {
  let now = 0;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
  afterEach(() => {
    sleeps.length = 0;
    now = 0;
  });

  it("is kept whatever the work takes", async () => {
    const { signal } = new AbortController();
    const pace = new Pace(100);
    const points: number[] = [];
    for (const work of [0, 30, 99, 100, 250, 0]) {
      expect(await pace.wait(signal)).toBe(true);
      now += sleeps.at(-1) ?? 0;
      points.push(now);
      now += work;
    }
    // 100 ms of work miss one point, 250 ms two.
    expect(points).toEqual([100, 200, 300, 400, 600, 900]);
    expect(clock).toHaveBeenCalled();
  });

  it("ends with the command", async () => {
    const controller = new AbortController();
    const pace = new Pace(100);
    controller.abort();
    expect(await pace.wait(controller.signal)).toBe(false);
    expect(sleeps).toEqual([]);
  });
});

describe("an ending", () => {
  it.each([
    ["SIGINT", 0],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
    ["SIGQUIT", 131],
  ] as const)("by %s has the exit code %d, and the next signal is the system's", (signal, code) => {
    const before = process.listenerCount(signal);
    const ending = new Ending();
    expect(process.listenerCount(signal)).toBe(before + 1);
    const [listener] = process.listeners(signal).slice(-1);
    listener?.(signal);
    expect([ending.ended, ending.exitCode]).toEqual([true, code]);
    expect(process.listenerCount(signal)).toBe(before);
    // What ended it first counts.
    ending.end(1);
    expect(ending.exitCode).toBe(code);
  });

  it("released leaves nothing behind", () => {
    const before = process.listenerCount("SIGTERM");
    const ending = new Ending();
    ending.release();
    expect(process.listenerCount("SIGTERM")).toBe(before);
    expect(ending.ended).toBe(false);
  });
});
