/**
 * Defends: every pattern runs on real threads, ends clean, and its document says what happened.
 * Method: the built program for one second each, `--json`, figures checked against each other.
 */
import { describe, expect, it } from "vitest";
import { runCli, runWorkload } from "../run-cli.js";

const SECOND = ["--duration", "1", "--threads", "2"];

describe("tslab workload --pattern", () => {
  it.each(["burst", "steady", "leak", "hotspot", "kernel"])(
    "%s ends clean",
    { timeout: 30_000 },
    async (name) => {
      const { code, report } = await runWorkload(["--pattern", name, ...SECOND]);
      expect(report.closing.problems).toEqual([]);
      expect(report.workers.errors).toEqual([]);
      expect(report.damage.findings).toEqual([]);
      expect(report.ok).toBe(true);
      expect(code).toBe(0);

      const { throughput, memory, closing, verify } = report;
      expect(report.parameters.pattern).toBe(name);
      expect(report.ended_by).toBe("duration");
      expect(report.duration_sec).toBeGreaterThan(0.9);
      // A machine that is busy with other things serves few.
      expect(throughput.requests).toBeGreaterThan(16);
      expect(throughput.operations).toBe(throughput.allocs + throughput.frees);
      // Requests of the kernel pattern keep to themselves.
      if (name === "kernel") expect(throughput.handed_over).toBe(0);
      else expect(throughput.foreign_frees).toBeGreaterThan(0);
      expect(throughput.foreign_frees).toBe(throughput.handed_over);
      // Every object is accounted for: freed, or left live on purpose.
      expect(throughput.allocs - throughput.frees).toBe(report.leaked.live_objects);
      expect(verify.live_objects).toBe(report.leaked.live_objects);
      expect(closing.objects_discarded).toBe(report.leaked.live_objects);
      expect(report.slow_path.hits).toBeGreaterThan(0);
      expect(report.slow_path.share).toBeLessThan(0.2);
      expect(report.epochs.map((row) => row.epoch_id)).toEqual([...Array(16).keys()]);
      expect(report.epoch_closes.closes).toBeGreaterThan(16);
      expect(memory.peak_committed_bytes).toBe(memory.peak_committed_slabs * memory.slab_bytes);
      expect(memory.peak_rss_bytes).toBeGreaterThan(memory.rss_bytes_at_start);
      expect(closing.reallocated_bytes).toBe(memory.capacity_bytes);
    },
  );

  it("leak shows the old epochs that hold the leaked objects", { timeout: 30_000 }, async () => {
    const { report } = await runWorkload(["--pattern", "leak", ...SECOND]);
    const { leaked } = report;
    expect(leaked.live_objects).toBeGreaterThan(16);
    expect(leaked.oldest).toHaveLength(16);
    const [oldest] = leaked.oldest;
    const current = Math.max(...report.epochs.map((row) => row.epoch_era));
    expect(oldest?.epoch_era).toBeLessThan(current - 16);
    expect(oldest?.age_sec).toBeGreaterThan(0.1);
    expect(oldest?.label).toBe("leak-request");
    // The heap's own table knows them as well, as older objects of the same ring slots.
    const inRing = report.epochs.reduce((sum, row) => sum + row.live_objects + row.older_live_objects, 0);
    expect(inRing).toBe(leaked.live_objects);
    expect(report.epochs.some((row) => row.oldest_era === oldest?.epoch_era)).toBe(true);
  });

  it("keeps the rate it was given, and runs faster without one", { timeout: 30_000 }, async () => {
    const paced = await runWorkload(["--req-rate", "500", ...SECOND]);
    expect(paced.report.throughput.requests).toBeGreaterThan(0);
    expect(paced.report.throughput.requests_per_sec).toBeLessThan(550);
    const free = await runWorkload(["--req-rate", "0", ...SECOND]);
    expect(free.report.ok).toBe(true);
    expect(free.report.throughput.requests).toBeGreaterThan(paced.report.throughput.requests);
  });

  it("manual epochs are never closed; one thread hands nothing over", { timeout: 30_000 }, async () => {
    const { code, report } = await runWorkload([
      "--epoch-policy",
      "manual",
      "--duration",
      "0.5",
      "--threads",
      "1",
    ]);
    expect(code).toBe(0);
    expect(report.epoch_closes.closes).toBe(0);
    expect(report.throughput.handed_over).toBe(0);
  });

  it("a full heap is reported, not damage", { timeout: 30_000 }, async () => {
    const args = ["--capacity", "256KiB", "--slab-size", "4096", "--free-policy", "leak:50", ...SECOND];
    const { code, report } = await runWorkload(args);
    expect(report.closing.problems).toEqual([]);
    expect(report.alloc_failures.out_of_memory).toBeGreaterThan(0);
    expect(code).toBe(0);
  });

  it("takes the flags of the C program, and custom size classes", { timeout: 30_000 }, async () => {
    const { code, report } = await runWorkload(
      "--pattern=burst --duration_s=0.5 --req_rate=1000 --objs_min=5 --objs_max=9 --size=100 --threads=2 --epoch_policy=batch:4 --free_policy=lag:2 --size-classes=64,128,256".split(
        " ",
      ),
    );
    expect(code).toBe(0);
    expect(report.parameters).toMatchObject({
      req_rate: 1000,
      objs_min: 5,
      objs_max: 9,
      size: 100,
      epoch_policy: "batch:4",
      free_policy: "lag:2",
    });
  });

  it("large objects run as runs of slabs", { timeout: 30_000 }, async () => {
    const { report } = await runWorkload([
      "--size",
      "100000",
      "--objs-min",
      "1",
      "--objs-max",
      "20",
      ...SECOND,
    ]);
    expect(report.closing.problems).toEqual([]);
    expect(report.ok).toBe(true);
  });

  it("the readable report has every part", { timeout: 30_000 }, async () => {
    const { code, stdout, stderr } = await runCli(["workload", "--duration", "0.5"]);
    expect(code).toBe(0);
    expect(stderr).toBe("");
    for (const part of [
      "workload burst",
      "operations",
      "slow path",
      "alloc failures",
      "epoch closes",
      "memory peak",
      "page release",
      "process RSS",
    ]) {
      expect(stdout).toContain(part);
    }
    expect(stdout).toMatch(/^epoch +era +state +age +refcount +live +slabs/m);
    expect(stdout).toMatch(/^verify +ok/m);
    expect(stdout).toContain("OK: nothing damaged");
  });

  it("--progress prints lines when stderr is no terminal", { timeout: 30_000 }, async () => {
    const { stderr, stdout } = await runCli(["workload", "--duration", "1.5", "--progress", "--json"]);
    expect(stderr).toMatch(/ops\/s \| .* requests/);
    expect(() => JSON.parse(stdout)).not.toThrow();
  });

  it("Ctrl-C ends the run early, with its report", { timeout: 30_000 }, async () => {
    const { code, stdout } = await runCli(["workload", "--duration", "60", "--json"], (child) => {
      setTimeout(() => child.kill("SIGINT"), 1500);
    });
    const report = JSON.parse(stdout) as { ended_by: string; ok: boolean; duration_sec: number };
    expect(report).toMatchObject({ ended_by: "interrupted", ok: true });
    expect(report.duration_sec).toBeLessThan(10);
    expect(code).toBe(0);
  });
});
