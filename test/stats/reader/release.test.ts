/**
 * Defends: what the document says of pages given back is what a page releaser was asked to do: calls, bytes and refusals by
 * size class and in total, bytes by epoch and by close, the slabs that stay warm; a releaser that refuses, throws or
 * answers nonsense is counted and disturbs no close; resident memory is asked for twice at most per close, and not at all
 * where the runtime has no answer; cooperation is their quotient, and null without either.
 * Method: a releaser that keeps its own count and writes zeros where the system would, and a runtime whose answers are
 * made up.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SlabHeap } from "../../../src/allocator/heap/heap.js";
import type { Handle, HeapOptions, PageReleaser } from "../../../src/allocator/types.js";
import {
  analyzeReclamation,
  doctor,
  type EpochStats,
  readStats,
  StatsReader,
  snapshotDelta,
  stringifyStats,
} from "../../../src/stats/index.js";
import { prometheusText } from "../../../src/telemetry/index.js";
import { fill, SLAB, smallHeap } from "../../allocator/support.js";

const MIB = 1024 * 1024;

/** Zeros what it is asked to release, and keeps count. `answer`: what it says instead. */
class CountingReleaser implements PageReleaser {
  calls = 0;
  bytes = 0;
  failures = 0;
  answer: ((bytes: number) => number) | undefined;

  release(buffer: SharedArrayBuffer, byteOffset: number, byteLength: number): number {
    this.calls++;
    if (this.answer !== undefined) {
      this.failures++;
      return this.answer(byteLength);
    }
    new Uint8Array(buffer, byteOffset, byteLength).fill(0);
    this.bytes += byteLength;
    return byteLength;
  }
}

let releaser: CountingReleaser;
let heap: SlabHeap;
let reader: StatsReader;

function use(options: HeapOptions = {}): void {
  heap?.detach();
  releaser = new CountingReleaser();
  heap = smallHeap({ pageReleaser: releaser, ...options });
  reader = StatsReader.open(heap);
}

beforeEach(() => use());
afterEach(() => {
  vi.restoreAllMocks();
});

const freeAll = (handles: readonly Handle[]): void => {
  for (const handle of handles) heap.free(handle);
};
const row = (id: number): EpochStats => reader.epochs()[id] as EpochStats;

describe("what a close releases", () => {
  test("is counted by class, in total, by epoch and for the close", () => {
    const epoch = heap.currentEpoch;
    freeAll([
      ...Array.from({ length: 8 }, () => heap.alloc(1024)),
      ...Array.from({ length: 64 }, () => heap.alloc(64)),
    ]);
    expect(heap.closeEpoch(epoch).bytesReleased).toBe(3 * SLAB);
    const document = reader.snapshot();
    expect(releaser.bytes).toBe(3 * SLAB);
    expect(document.total_madvise_calls).toBe(releaser.calls);
    expect(document.classes.map((each) => each.madvise_bytes)).toEqual([SLAB, 0, 2 * SLAB]);
    expect(document).toMatchObject({
      total_madvise_bytes: 3 * SLAB,
      total_madvise_failures: 0,
      heap: { warm_slabs: 0, warm_bytes: 0, resident_bytes: 0, touched_bytes: 3 * SLAB, free_slabs: 16 },
      last_epoch_close_context: { epoch_id: epoch.id, epoch_era: epoch.era, madvise_bytes: 3 * SLAB },
    });
    expect(row(epoch.id)).toMatchObject({
      madvise_bytes: 3 * SLAB,
      close_madvise_bytes: 3 * SLAB,
      slabs_recycled: 3,
    });
  });

  test("what it releases of other epochs counts for them, and for the close", () => {
    use({ releasePolicy: { onClose: false } });
    const first = heap.currentEpoch;
    freeAll(Array.from({ length: 8 }, () => heap.alloc(1024)));
    heap.closeEpoch(first);
    const second = heap.advanceEpoch();
    expect(releaser.calls).toBe(0);
    expect(reader.snapshot().heap).toMatchObject({
      warm_slabs: 2,
      warm_bytes: 2 * SLAB,
      resident_bytes: 2 * SLAB,
    });
    // Another thread, whose close releases what this one left.
    const other = new CountingReleaser();
    const seat = heapWith(other);
    const handle = seat.alloc(1024);
    seat.free(handle);
    seat.closeEpoch(second);
    expect(other.bytes).toBeGreaterThanOrEqual(2 * SLAB);
    expect(row(first.id)).toMatchObject({ close_madvise_bytes: 0 });
    expect(row(second.id).close_madvise_bytes).toBe(other.bytes);
    expect(Number(row(first.id).madvise_bytes) + Number(row(second.id).madvise_bytes)).toBe(other.bytes);
    expect(reader.snapshot().heap.warm_slabs).toBe(0);
    seat.detach();
  });

  test("trim and poll release without a close: by epoch, but for none", () => {
    use({ releasePolicy: { onClose: false } });
    const epoch = heap.currentEpoch;
    freeAll(fill(heap, 1024));
    heap.closeEpoch(epoch);
    expect(row(epoch.id)).toMatchObject({ madvise_bytes: 0, close_madvise_bytes: 0, cooperation_pct: null });
    expect(heap.trim({ keepBytes: 2 * SLAB })).toMatchObject({ bytesReleased: 14 * SLAB });
    expect(row(epoch.id)).toMatchObject({
      madvise_bytes: 14 * SLAB,
      close_madvise_bytes: 0,
      cooperation_pct: null,
    });
    expect(reader.snapshot()).toMatchObject({
      heap: { warm_slabs: 2 },
      last_epoch_close_context: { madvise_bytes: 0 },
    });
  });

  test("a reserve stays warm, and what is taken again is not warm any more", () => {
    use({ releasePolicy: { reserveBytes: 3 * SLAB } });
    freeAll(fill(heap, 1024));
    heap.closeEpoch(heap.currentEpoch);
    expect(reader.snapshot().heap).toMatchObject({ warm_slabs: 3, resident_bytes: 3 * SLAB, free_slabs: 16 });
    heap.advanceEpoch();
    heap.alloc(1024);
    expect(reader.snapshot().heap).toMatchObject({ warm_slabs: 2, resident_bytes: 3 * SLAB, free_slabs: 15 });
  });

  test("a heap that was touched at creation is resident throughout", () => {
    use({ prefault: true });
    expect(reader.snapshot().heap).toMatchObject({
      warm_slabs: 16,
      resident_bytes: 16 * SLAB,
      touched_bytes: 0,
      prefault: true,
    });
    use({});
    expect(reader.snapshot().heap.prefault).toBe(false);
  });

  test("such a heap is not advised to release, nor after every slab was used", () => {
    const advice = (options: object): string[] => {
      use({ ...options, releasePolicy: { onClose: false } });
      freeAll(fill(heap, 1024));
      heap.closeEpoch(heap.currentEpoch);
      expect(reader.snapshot().heap).toMatchObject({ touched_bytes: 16 * SLAB, warm_slabs: 16 });
      const { heuristics } = analyzeReclamation(reader.snapshot());
      return heuristics.map((hint) => hint.kind).filter((kind) => /releaser|warm/.test(kind));
    };
    expect(advice({ prefault: true })).toEqual([]);
    expect(advice({}), "as one that nobody touched is").toEqual(["no_page_releaser"]);
  });
});

/** Another seat of this thread, with a releaser of its own. */
function heapWith(pageReleaser: PageReleaser): SlabHeap {
  return SlabHeap.attach(heap.share(), { sameThread: true, pageReleaser });
}

describe("a releaser that does not release", () => {
  test.each<[string, (bytes: number) => number]>([
    ["refuses", () => -1],
    [
      "throws",
      () => {
        throw new Error("no");
      },
    ],
    ["answers nonsense", () => "4096" as unknown as number],
    ["answers NaN", () => Number.NaN],
  ])("one that %s is counted, total and by class, and the close ends as always", (_name, answer) => {
    releaser.answer = answer;
    const epoch = heap.currentEpoch;
    freeAll(Array.from({ length: 8 }, () => heap.alloc(1024)));
    expect(heap.closeEpoch(epoch)).toMatchObject({ applied: true, slabsRecycled: 2, bytesReleased: 0 });
    const document = reader.snapshot();
    expect(releaser.failures).toBeGreaterThan(0);
    expect(document.classes.map((each) => each.madvise_failures)).toEqual([0, 0, releaser.failures]);
    expect(document).toMatchObject({
      total_madvise_calls: releaser.calls,
      total_madvise_bytes: 0,
      total_madvise_failures: releaser.failures,
      heap: { warm_slabs: 2 },
    });
    expect(row(epoch.id)).toMatchObject({ madvise_bytes: 0, close_madvise_bytes: 0, cooperation_pct: null });
    // Every way of looking at it survives.
    const text = prometheusText(document);
    expect(text).toContain(`temporal_slab_madvise_failures_total ${releaser.failures}\n`);
    expect(text).not.toMatch(/epoch_close_madvise_bytes\{|last_epoch_close_madvise_bytes /);
    expect(analyzeReclamation(document)).toMatchObject({
      total_madvise_failures: releaser.failures,
      warm_bytes: 2 * SLAB,
      epochs: [{ bytes_madvised: 0, bytes_madvised_at_close: 0 }],
    });
    expect(doctor(document).findings.map(({ code }) => code)).toContain("madvise-failures");
    expect(readStats(stringifyStats(document))).toEqual(document);
  });

  test("runs count under large", () => {
    releaser.answer = () => -1;
    heap.free(heap.alloc(3 * SLAB));
    heap.closeEpoch(heap.currentEpoch);
    expect(reader.snapshot().large).toMatchObject({
      madvise_calls: 1,
      madvise_failures: 1,
      madvise_bytes: 0,
    });
    releaser.answer = undefined;
    heap.trim();
    expect(reader.snapshot().large).toMatchObject({
      madvise_calls: 2,
      madvise_failures: 1,
      madvise_bytes: 3 * SLAB,
    });
  });
});

describe("resident memory", () => {
  /** What the runtime answers from now on. */
  function answers(...values: number[]) {
    let next = 0;
    return vi
      .spyOn(process.memoryUsage, "rss")
      .mockImplementation(() => values[next++ % values.length] as number);
  }
  const burst = (): EpochStats => {
    const epoch = heap.advanceEpoch();
    freeAll(fill(heap, 1024));
    heap.closeEpoch(epoch);
    return row(epoch.id);
  };

  beforeEach(async () => {
    // The budget of measurements, one in 8 ms, is this thread's: wait until there is one.
    const probe = vi.spyOn(process.memoryUsage, "rss");
    while (probe.mock.calls.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      heap.closeEpoch(heap.advanceEpoch());
    }
    probe.mockRestore();
    await new Promise((resolve) => setTimeout(resolve, 20));
  });

  test("cooperation is what it fell by over what the close released", () => {
    answers(100 * MIB, 100 * MIB - 12 * SLAB);
    const epoch = burst();
    expect(epoch).toMatchObject({
      close_madvise_bytes: 16 * SLAB,
      rss_before_close: 100 * MIB,
      rss_after_close: 100 * MIB - 12 * SLAB,
      cooperation_pct: 75,
    });
    vi.restoreAllMocks();
    const document = reader.snapshot();
    expect(document.last_epoch_close_context).toMatchObject({
      rss_delta_bytes: -12 * SLAB,
      madvise_bytes: 16 * SLAB,
    });
    expect(analyzeReclamation(document).epochs.at(-1)).toMatchObject({
      slabs_recycled: 16,
      bytes_madvised: 16 * SLAB,
      bytes_madvised_at_close: 16 * SLAB,
      rss_before: 100 * MIB,
      rss_after: 100 * MIB - 12 * SLAB,
      rss_delta: -12 * SLAB,
      was_closed: true,
    });
  });

  test.each([
    ["before", 0, 100 * MIB],
    ["after", 100 * MIB, 0],
  ])("that the runtime did not tell %s the close says nothing of the kernel", (_name, before, after) => {
    answers(before, after);
    expect(burst()).toMatchObject({
      close_madvise_bytes: 16 * SLAB,
      rss_before_close: before,
      rss_after_close: after,
      cooperation_pct: null,
    });
  });

  test("is asked for once before and once after a close, no more", () => {
    const asked = answers(100 * MIB);
    burst();
    expect(asked).toHaveBeenCalledTimes(2);
  });

  test("a burst of closes asks for a part of them; the others say not measured, and nothing of the kernel", () => {
    const asked = answers(100 * MIB, 90 * MIB);
    const rows = Array.from({ length: 200 }, burst);
    const measured = rows.filter((each) => each.rss_before_close !== 0);
    expect(asked).toHaveBeenCalledTimes(2 * measured.length);
    expect(measured.length).toBeLessThan(200);
    for (const each of rows) {
      expect(each.close_madvise_bytes).toBe(16 * SLAB);
      const known = each.rss_before_close !== 0 && each.rss_after_close !== 0;
      expect(each.cooperation_pct === null).toBe(!known);
    }
  });

  test.each([
    ["no memoryUsage", { value: undefined }],
    ["a memoryUsage without rss", { value: () => ({}) }],
    [
      "one that throws",
      {
        value: {
          rss: () => {
            throw new Error("not here");
          },
        },
      },
    ],
  ])("%s: nothing is measured, everything else is as always", (_name, memoryUsage) => {
    const had = Object.getOwnPropertyDescriptor(process, "memoryUsage") as PropertyDescriptor;
    Object.defineProperty(process, "memoryUsage", { ...had, ...memoryUsage });
    try {
      expect(burst()).toMatchObject({
        close_madvise_bytes: 16 * SLAB,
        rss_before_close: 0,
        rss_after_close: 0,
        cooperation_pct: null,
      });
      const document = reader.snapshot();
      expect(document.rss_bytes_current).toBe(0);
      expect(analyzeReclamation(document).epochs.at(-1)).toMatchObject({
        bytes_madvised_at_close: 16 * SLAB,
        rss_delta: 0,
      });
      expect(prometheusText(document)).not.toMatch(
        /rss_(before|after)_close|close_rss_(before|after)_bytes /m,
      );
    } finally {
      Object.defineProperty(process, "memoryUsage", had);
    }
  });
});

test("what was released between two snapshots is their difference", () => {
  const before = reader.snapshot();
  const epoch = heap.currentEpoch;
  freeAll(fill(heap, 1024));
  heap.closeEpoch(epoch);
  const delta = snapshotDelta(before, reader.snapshot());
  expect(delta.totals.total_madvise_bytes.delta).toBe(16 * SLAB);
  expect(delta.totals.total_madvise_calls.delta).toBe(releaser.calls);
  expect(delta.epochs.find(({ epoch_id }) => epoch_id === epoch.id)?.close_madvise_bytes).toEqual({
    value: 16 * SLAB,
    change: 16 * SLAB,
  });
});

test("slabs being released count as free, and as warm until they are", () => {
  freeAll(fill(heap, 1024));
  let inside: Partial<Record<"free_slabs" | "warm_slabs", number>> = {};
  releaser.release = (_buffer, _offset, bytes) => {
    const { free_slabs, warm_slabs } = reader.snapshot().heap;
    inside = { free_slabs, warm_slabs };
    return bytes;
  };
  heap.closeEpoch(heap.currentEpoch);
  // While the system works nobody holds them, and they are warm still.
  expect(inside).toEqual({ free_slabs: 16, warm_slabs: 16 });
  expect(reader.snapshot().heap).toMatchObject({ free_slabs: 16, warm_slabs: 0, committed_bytes: 0 });
});
