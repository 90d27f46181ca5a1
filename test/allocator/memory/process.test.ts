/**
 * Defends: a runtime that does not say how much memory or processor time was used, or throws when asked, costs the
 * figure and nothing else.
 * Method: the functions of the runtime, or the whole process object, are replaced.
 */
import { afterEach, describe, expect, test, vi } from "vitest";
import { processRssBytes, threadCpuNs } from "../../../src/allocator/memory/process.js";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe("resident bytes", () => {
  test("are the runtime's", () => {
    vi.spyOn(process.memoryUsage, "rss").mockReturnValue(2 ** 33 + 1);
    expect(processRssBytes()).toBe(2 ** 33 + 1);
    vi.restoreAllMocks();
    expect(processRssBytes()).toBeGreaterThan(2 ** 20);
  });

  test("are 0 where asking fails", () => {
    vi.spyOn(process.memoryUsage, "rss").mockImplementation(() => {
      throw new Error("denied");
    });
    expect(processRssBytes()).toBe(0);
  });

  test.each<[string, unknown]>([
    ["no process", undefined],
    ["a process without memoryUsage", {}],
    ["a memoryUsage without rss", { memoryUsage: () => ({}) }],
  ])("are 0 with %s", (_name, stub) => {
    vi.stubGlobal("process", stub);
    const [rss, cpu] = [processRssBytes(), threadCpuNs()];
    vi.unstubAllGlobals();
    expect([rss, cpu]).toEqual([0, -1]);
  });
});

test("processor time is the sum of both kinds in nanoseconds, and -1 where the runtime cannot tell", () => {
  vi.stubGlobal("process", { threadCpuUsage: () => ({ user: 1500, system: 7 }) });
  const told = threadCpuNs();
  vi.stubGlobal("process", {});
  const untold = threadCpuNs();
  vi.unstubAllGlobals();
  expect([told, untold]).toEqual([1_507_000, -1]);
});
