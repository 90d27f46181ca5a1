/**
 * Defends: with a real page releaser the figures are about real memory. What the document says was released during a close is
 * what the resident memory of the process fell by around it; without a releaser neither moves, and the document says what
 * could go back.
 * Method: bursts of 128 MiB, written, freed and closed, with koffi's madvise and without; the kernel's own figure for the
 * process beside the document's. Margins are an eighth of a burst: the rest of the process moves too.
 */
import { describe, expect, test } from "vitest";
import { SlabHeap } from "../../../src/index.js";
import { createPageReleaser, type SystemPageReleaser } from "../../../src/reclaim.js";
import { analyzeReclamation, StatsReader } from "../../../src/stats/index.js";

const MIB = 1024 * 1024;
const BURST = 128 * MIB;
const MARGIN = BURST / 8;
const OBJECT = 16 * 1024;

const koffi = findKoffi();

function findKoffi(): { releaser?: SystemPageReleaser; missing: string } {
  try {
    return { releaser: createPageReleaser("koffi"), missing: "" };
  } catch (error) {
    return { missing: ` (SKIPPED: ${(error as Error).message})` };
  }
}

/** Objects of the burst, each page written. */
function fillUp(heap: SlabHeap): void {
  const handles = Array.from({ length: BURST / OBJECT }, () => {
    const handle = heap.alloc(OBJECT);
    const view = heap.view(handle);
    for (let at = 0; at < OBJECT; at += 1024) view[at] = 1;
    return handle;
  });
  for (const handle of handles) heap.free(handle);
}

describe.skipIf(koffi.releaser === undefined)(`pages go back to the kernel${koffi.missing}`, () => {
  test("what closes release is what resident memory falls by, burst after burst", {
    timeout: 120_000,
  }, () => {
    const pageReleaser = koffi.releaser as SystemPageReleaser;
    const heap = SlabHeap.create({
      capacity: BURST + 16 * MIB,
      pageReleaser,
      releasePolicy: { reserveBytes: 0 },
    });
    const reader = StatsReader.open(heap);
    let released = 0;
    for (let burst = 1; burst <= 4; burst++) {
      const epoch = heap.advanceEpoch();
      const empty = process.memoryUsage.rss();
      fillUp(heap);
      const full = process.memoryUsage.rss();
      expect(full - empty).toBeGreaterThan(BURST - MARGIN);
      const { bytesReleased } = heap.closeEpoch(epoch);
      released += bytesReleased;
      expect(full - process.memoryUsage.rss()).toBeGreaterThan(BURST - MARGIN);

      const document = reader.snapshot();
      const row = document.epochs[epoch.id];
      expect(bytesReleased).toBeGreaterThanOrEqual(0.95 * BURST);
      expect(row).toMatchObject({ madvise_bytes: bytesReleased, close_madvise_bytes: bytesReleased });
      const dropped = Number(row.rss_before_close) - Number(row.rss_after_close);
      expect(Math.abs(dropped - bytesReleased)).toBeLessThan(MARGIN);
      expect(row.cooperation_pct).toBe((dropped * 100) / bytesReleased);
      expect(document).toMatchObject({
        total_madvise_bytes: released,
        total_madvise_failures: 0,
        heap: { warm_bytes: 0, resident_bytes: 0 },
        last_epoch_close_context: { madvise_bytes: bytesReleased, rss_delta_bytes: -dropped },
      });
      const report = analyzeReclamation(document);
      expect(report.heuristics.map(({ kind }) => kind)).toContain("cooperation");
      expect(report.heuristics.find(({ epoch_id }) => epoch_id === epoch.id)?.verdict).toMatch(
        /kernel cooperates|other memory/,
      );
    }
    heap.detach();
  });

  test("without a releaser neither moves, until somebody trims who has one", { timeout: 120_000 }, () => {
    const heap = SlabHeap.create({ capacity: BURST + 16 * MIB });
    const reader = StatsReader.open(heap);
    const epoch = heap.currentEpoch;
    fillUp(heap);
    const full = process.memoryUsage.rss();
    expect(heap.closeEpoch(epoch)).toMatchObject({ bytesReleased: 0 });
    expect(Math.abs(process.memoryUsage.rss() - full)).toBeLessThan(MARGIN);
    const document = reader.snapshot();
    const warm = Number(document.heap.warm_bytes);
    expect(warm).toBeGreaterThanOrEqual(BURST);
    expect(document).toMatchObject({ total_madvise_bytes: 0, heap: { resident_bytes: warm } });
    expect(document.epochs[epoch.id]).toMatchObject({ close_madvise_bytes: 0, cooperation_pct: null });
    expect(analyzeReclamation(document).heuristics).toMatchObject([
      { kind: "no_page_releaser", bytes: warm },
    ]);

    const helper = SlabHeap.attach(heap.share(), {
      sameThread: true,
      pageReleaser: koffi.releaser as SystemPageReleaser,
    });
    const { bytesReleased } = helper.trim();
    expect(bytesReleased).toBe(warm);
    expect(full - process.memoryUsage.rss()).toBeGreaterThan(BURST - MARGIN);
    const after = reader.snapshot();
    expect(after).toMatchObject({ total_madvise_bytes: warm, heap: { warm_bytes: 0, resident_bytes: 0 } });
    expect(after.epochs[epoch.id]).toMatchObject({ madvise_bytes: warm, close_madvise_bytes: 0 });
    for (const seat of [helper, heap]) seat.detach();
  });
});
