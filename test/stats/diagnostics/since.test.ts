/**
 * Defends: an interval is judged by what happened in it, gauges stay as they are, and a document that is not an earlier
 * one of the same heap is never subtracted.
 * Method: pairs of documents that differ in one thing.
 */
import { expect, test } from "vitest";
import { sinceDocument } from "../../../src/stats/diagnostics/since.js";
import type { StatsDocument } from "../../../src/stats/document/document.js";
import { cDocument, classRow, documentWith, heapRow, largeRow, NOW_NS } from "./builder.js";

const at = (factor: number): StatsDocument =>
  documentWith({
    timestamp_ns: NOW_NS + BigInt(factor),
    total_slow_path_hits: 10 * factor,
    total_madvise_bytes: 2n ** 60n * BigInt(factor),
    net_slabs: 100 * factor,
    classes: [classRow({ slow_path_hits: 10 * factor, cache_size: 7 * factor })],
    heap: heapRow({ alloc_failures_out_of_memory: 3 * factor, committed_bytes: 5 * factor }),
    large: largeRow({ failures: factor }),
  });

test("counters become differences, gauges stay", () => {
  expect(sinceDocument(at(3), at(1))).toMatchObject({
    total_slow_path_hits: 20,
    total_madvise_bytes: 2n ** 61n,
    net_slabs: 300,
    classes: [{ slow_path_hits: 20, cache_size: 21 }],
    heap: { alloc_failures_out_of_memory: 6, committed_bytes: 15 },
    large: { failures: 2 },
  });
});

test("the same document twice: nothing happened", () => {
  expect(sinceDocument(at(2), at(2))).toMatchObject({ total_slow_path_hits: 0, total_madvise_bytes: 0 });
});

test.each<[string, StatsDocument, StatsDocument]>([
  ["another heap", at(3), { ...at(1), heap: heapRow({ id: "heap-2" }) }],
  ["later", at(1), at(3)],
  ["counters that went back", { ...at(3), total_slow_path_hits: 5 }, at(1)],
  ["other classes", { ...at(3), classes: [] }, at(1)],
  ["another process of the C allocator", cDocument({ pid: 1 }), cDocument({ pid: 2 })],
  ["another allocator", at(3), cDocument({ timestamp_ns: NOW_NS })],
])("no difference to a previous document that is %s", (_, document, previous) => {
  expect(sinceDocument(document, previous)).toBeUndefined();
});
