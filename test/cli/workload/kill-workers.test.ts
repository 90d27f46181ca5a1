/**
 * Defends: workers may vanish at any moment; their seats are recovered and the run ends clean.
 * Method: random `worker.terminate()` while requests run as fast as possible, then every check.
 */
import { describe, expect, it } from "vitest";
import { runWorkload } from "../run-cli.js";

describe("tslab workload --kill-workers", () => {
  it.each([
    ["burst", ["--pattern", "burst", "--threads", "3"]],
    ["steady", ["--pattern", "steady", "--threads", "2", "--handoff", "50"]],
    ["large objects", ["--size", "70000", "--objs-min", "1", "--objs-max", "9", "--threads", "2"]],
  ])("%s ends clean", { timeout: 60_000 }, async (_, args) => {
    const { code, report } = await runWorkload([
      ...args,
      "--duration",
      "3",
      "--req-rate",
      "0",
      "--kill-rate",
      "8",
    ]);
    expect(report.closing.problems).toEqual([]);
    expect(report.workers.errors).toEqual([]);
    expect(report.damage.findings).toEqual([]);
    expect(code).toBe(0);
    expect(report.workers.kills).toBeGreaterThan(0);
    expect(report.workers.reaped).toBe(report.workers.kills);
    expect(report.workers.started).toBeGreaterThan(report.parameters.threads);
    expect(report.closing.verify_after_discard.live_objects).toBe(0);
    expect(report.closing.reallocated_bytes).toBe(report.memory.capacity_bytes);
    expect(report.closing.one_object_of_capacity).toBe(true);
  });
});
