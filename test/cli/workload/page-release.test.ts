/**
 * Defends: `tslab workload` gives pages back, says through what, and its figures are those of the heap and of the process;
 * with --release none nothing goes back and the heap needs no more memory for it; killed workers leave a sound heap.
 * Method: the built program on real threads with the koffi that is installed here, `--json`, figures checked against each
 * other. One thread where they must be exact: what it recycled goes back before anybody can take it again.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { renderReport } from "../../../src/cli/workload/report-text.js";
import { autoPageReleaser } from "../../../src/reclaim.js";
import { cliEnvironment, runCli, runWorkload } from "../run-cli.js";

const root = join(import.meta.dirname, "../../..");
const hasNodeFfi = isBuiltin("node:ffi");

const KERNEL = ["--pattern", "kernel"];
const ONE_THREAD = [...KERNEL, "--threads", "1", "--duration", "1"];
/** Requests of 24 MiB. */
const LARGE = [...KERNEL, "--threads", "1", "--objs-min", "100000", "--req-rate", "10", "--duration", "1.5"];
const LARGE_BYTES = 100_000 * 256;

type Report = Awaited<ReturnType<typeof runWorkload>>["report"];

async function soundRun(args: readonly string[]): Promise<Report> {
  const { code, report } = await runWorkload(args);
  expect(report.closing.problems).toEqual([]);
  expect(report.workers.errors).toEqual([]);
  expect(report.damage.findings).toEqual([]);
  expect(code).toBe(0);
  return report;
}

const sum = (report: Report, name: "madvise_calls" | "madvise_bytes" | "closes"): number =>
  report.page_release.intervals.reduce((total, interval) => total + interval[name], 0);

const recycledBytes = ({ slow_path, memory }: Report): number => slow_path.recycled_slabs * memory.slab_bytes;

describe("tslab workload gives pages back", () => {
  it("kernel: all that was recycled, with every close", { timeout: 60_000 }, async () => {
    const report = await soundRun(ONE_THREAD);
    const { page_release: pages, memory, epoch_closes } = report;
    expect(report.parameters).toMatchObject({
      release: "auto",
      reserve_bytes: 0,
      decay_ms: 0,
      handoff_pct: 0,
    });
    expect(pages.backend).not.toBe("none");
    // As any program's main thread says it, not how workers come by koffi.
    expect(pages.reason).toBe(autoPageReleaser().reason);
    expect(pages.reason).toMatch(/^Pages are released through .+\.$/);
    expect(pages.reason).not.toContain("asked for");
    expect(pages.madvise_calls).toBeGreaterThanOrEqual(epoch_closes.closes);
    expect(pages.madvise_failures).toBe(0);
    expect(pages.madvise_bytes).toBeGreaterThan(0);
    expect(pages.madvise_bytes).toBe(recycledBytes(report) - pages.warm_bytes_at_end);
    expect(pages.warm_bytes_at_end).toBe(0);
    // A request fills one slab and part of another; the next may begin before the last one's are back.
    expect(memory.peak_committed_slabs).toBeLessThanOrEqual(4);
    // Both, less what the main thread gave back in its idle time just then.
    const lastSlabs = Number(pages.last_close?.madvise_bytes) / memory.slab_bytes;
    expect([0, 1, 2]).toContain(lastSlabs);
    // The intervals account for all of it, in order.
    expect(sum(report, "madvise_calls")).toBe(pages.madvise_calls);
    expect(sum(report, "madvise_bytes")).toBe(pages.madvise_bytes);
    expect(sum(report, "closes")).toBeGreaterThanOrEqual(epoch_closes.closes);
    const times = pages.intervals.map((interval) => interval.at_sec);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    for (const interval of pages.intervals) {
      expect(interval.rss_low_bytes).toBeLessThanOrEqual(interval.rss_bytes);
      expect(interval.rss_high_bytes).toBeGreaterThanOrEqual(interval.rss_bytes);
      expect(memory.peak_rss_bytes).toBeGreaterThanOrEqual(interval.rss_high_bytes);
    }
    // 128 KiB are less than the system's count shows: nothing is concluded from them.
    expect(pages.cooperation).toEqual({ closes: 0, madvise_bytes: 0, rss_drop_bytes: 0, pct: null });
  });

  it("large requests: RSS falls with each close, and stays without release", {
    timeout: 60_000,
  }, async () => {
    const report = await soundRun(LARGE);
    const { page_release: pages, memory } = report;
    expect(pages.madvise_failures).toBe(0);
    expect(pages.madvise_bytes).toBe(recycledBytes(report));
    expect(memory.peak_rss_bytes - memory.rss_bytes_at_end).toBeGreaterThan(LARGE_BYTES / 2);
    const { last_close: last, cooperation } = pages;
    // The main thread may be giving back some of it in its idle time just then.
    expect(last?.madvise_bytes).toBeGreaterThan(LARGE_BYTES / 4);
    expect(Number(last?.rss_before_bytes) - Number(last?.rss_after_bytes)).toBeGreaterThan(LARGE_BYTES / 2);
    expect(cooperation.closes).toBeGreaterThan(0);
    expect(cooperation.madvise_bytes).toBeLessThanOrEqual(pages.madvise_bytes);
    expect(cooperation.pct).toBeGreaterThan(80);

    const without = await soundRun([...LARGE, "--release", "none"]);
    expect(without.page_release).toMatchObject({
      backend: "none",
      reason: "No pages are released, as was asked for.",
      madvise_calls: 0,
      madvise_bytes: 0,
      madvise_failures: 0,
      cooperation: { closes: 0, pct: null },
    });
    expect(without.memory.peak_committed_slabs).toBe(memory.peak_committed_slabs);
    // What was used once stays warm, and resident: every slab of the high-water mark.
    expect(without.page_release.warm_bytes_at_end).toBe(without.memory.peak_committed_bytes);
    expect(without.memory.rss_bytes_at_end - without.memory.rss_bytes_at_begin).toBeGreaterThan(
      LARGE_BYTES / 2,
    );
  });

  it("threads that free each other's objects keep the reserve, and no more", {
    timeout: 60_000,
  }, async () => {
    const args = [...KERNEL, "--threads", "2", "--handoff", "20", "--reserve", "128KiB", "--duration", "1"];
    const report = await soundRun(args);
    const { page_release: pages } = report;
    expect(report.parameters.reserve_bytes).toBe(128 * 1024);
    expect(report.throughput.foreign_frees).toBeGreaterThan(0);
    expect(pages.madvise_bytes).toBeGreaterThan(0);
    expect(pages.madvise_failures).toBe(0);
    expect(pages.warm_bytes_at_end).toBeLessThanOrEqual(128 * 1024);
    // A slab may be taken again while it is warm; then it goes back once for two recyclings.
    expect(pages.madvise_bytes).toBeLessThanOrEqual(recycledBytes(report) - pages.warm_bytes_at_end);
  });

  it("nothing on close where that is turned off", { timeout: 60_000 }, async () => {
    const report = await soundRun([...ONE_THREAD, "--no-release-on-close"]);
    expect(report.parameters).toMatchObject({ release: "auto", release_on_close: false });
    expect(report.page_release.backend).not.toBe("none");
    expect(report.page_release.madvise_calls).toBe(0);
    expect(report.page_release.warm_bytes_at_end).toBe(report.memory.peak_committed_bytes);
  });

  it("unused slabs decay while the workers sleep", { timeout: 60_000 }, async () => {
    // A request of 5 MiB after one second and after two; what they leave goes back in between.
    const args = [...KERNEL, "--threads", "1", "--objs-min", "20000", "--req-rate", "1", "--duration", "2.9"];
    const report = await soundRun([...args, "--no-release-on-close", "--decay", "50ms"]);
    expect(report.parameters.decay_ms).toBe(50);
    expect(report.page_release.madvise_bytes).toBeGreaterThan(0);
    expect(report.page_release.madvise_failures).toBe(0);
  });

  it("workers killed at any moment leave a heap that verifies", { timeout: 90_000 }, async () => {
    const args = [...KERNEL, "--threads", "2", "--handoff", "10", "--req-rate", "0", "--kill-rate", "8"];
    const report = await soundRun([...args, "--duration", "3"]);
    expect(report.workers.kills).toBeGreaterThan(0);
    expect(report.workers.reaped).toBe(report.workers.kills);
    expect(report.page_release.madvise_bytes).toBeGreaterThan(0);
    expect(report.page_release.madvise_failures).toBe(0);
    expect(report.closing.reallocated_bytes).toBe(report.memory.capacity_bytes);
    expect(report.closing.one_object_of_capacity).toBe(true);
  });
});

describe("the readable report", () => {
  it("says what gives pages back, how much, and what RSS did", { timeout: 60_000 }, async () => {
    const { stdout } = await runCli(["workload", ...LARGE]);
    expect(stdout).toMatch(/^page release +\S+, closes keep 0 B\. Pages are released through .+\.$/m);
    expect(stdout).toMatch(
      /^given back +\S+ MiB in [\d,]+ madvise calls, 0 failed; 0 B of free slabs still/m,
    );
    expect(stdout).toMatch(/^process RSS +\S+ MiB when work began, \S+ MiB at most, \S+ MiB when all was/m);
    expect(stdout).toMatch(/^last close +gave back \S+ MiB; RSS \S+ MiB before, \S+ MiB after$/m);
    expect(stdout).toMatch(/^cooperation +\d+%: RSS fell by \S+ MiB in \d+ closes? of 1 MiB and more/m);
    expect(stdout).toMatch(
      /^until +closes +given back +RSS high +RSS low +measured +gave back +RSS fell by$/m,
    );
  });

  it("says that nothing goes back, and why", { timeout: 60_000 }, async () => {
    const { report } = await runWorkload([...KERNEL, "--release", "none", "--duration", "0.3"]);
    expect(renderReport(report)).toMatch(
      /^page release +none\. No pages are released, as was asked for\. Memory once used stays resident/m,
    );
    expect(renderReport(report)).not.toMatch(/given back +\d|Pages over time/);
  });

  it.skipIf(hasNodeFfi)("says that koffi is not installed where that is so", { timeout: 60_000 }, () => {
    // The built package in a folder from which no koffi is seen.
    const folder = mkdtempSync(join(tmpdir(), "tslab-no-koffi-"));
    try {
      cpSync(join(root, "dist"), join(folder, "dist"), { recursive: true });
      cpSync(join(root, "package.json"), join(folder, "package.json"));
      const args = [join(folder, "dist/cli/main.js"), "workload", ...KERNEL, "--duration", "0.3"];
      const env = cliEnvironment({ NODE_PATH: undefined });
      const { stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: "utf8", cwd: folder });
      expect(stderr).toBe("");
      expect(stdout).toMatch(
        /^page release +none\. No pages are released, since Node \S+ does not offer node:ffi, and koffi is not installed\. Memory once used/m,
      );
      expect(stdout).not.toMatch(/given back +\d|Pages over time/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("small closes: one line says why no share is given, and what shows one", {
    timeout: 60_000,
  }, async () => {
    const { report } = await runWorkload([...KERNEL, "--duration", "0.5", "--threads", "1"]);
    expect(renderReport(report)).toMatch(/^cooperation +not known: .*; try --threads 1 --objs-min 100000/m);
    expect(renderReport(report)).toMatch(/^until +closes +given back +RSS high +RSS low$/m);
    // Other patterns keep a reserve and are not about pages.
    const other = renderReport({ ...report, parameters: { ...report.parameters, pattern: "burst" } });
    expect(other).not.toMatch(/^cooperation|^until/m);
    expect(other).toMatch(/^page release +\S+, closes keep/m);
  });
});
