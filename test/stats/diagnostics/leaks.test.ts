/**
 * Defends: a closed epoch that somebody is still inside, or whose objects are still live, is named with its era, size
 * class, age and kind; open, young, empty, discarded and never-opened epochs are not; eras under a reused ring slot are
 * not given the newer era's label, references or age.
 * Method: documents that differ from a healthy one in the one thing a rule is about; random documents for order and counts.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidTypeError, InvalidValueError } from "../../../src/allocator/errors.js";
import { detectEpochLeaks } from "../../../src/stats/diagnostics/leaks.js";
import type { EpochStats } from "../../../src/stats/document/document.js";
import { anyDocument, cDocument, documentWith, epochRow, eraRow, SLAB } from "./builder.js";

const held = eraRow({
  epoch_era: 28,
  class_index: 2,
  total_partial_slabs: 2,
  total_full_slabs: 1,
  live_objects: 17,
});

/** An epoch with a leak of objects, changed by `values`. */
const leaky = (values: Partial<EpochStats> = {}): EpochStats =>
  epochRow({ age_sec: 600, label: "background-worker-3", eras: [held], ...values });

const find = (...epochs: EpochStats[]) => detectEpochLeaks(documentWith({ epochs })).candidates;

describe("kinds", () => {
  test("objects live while nobody is inside", () => {
    expect(detectEpochLeaks(documentWith({ epochs: [leaky()] }))).toEqual({
      version: 1,
      threshold_sec: 60,
      candidate_count: 1,
      top_count: 1,
      candidates: [
        {
          class_index: 2,
          object_size: 128,
          epoch_id: 12,
          epoch_era: 28,
          label: "background-worker-3",
          age_sec: 600,
          alloc_count: 17,
          estimated_rss_bytes: 3 * SLAB,
          partial_slab_count: 2,
          full_slab_count: 1,
          reclaimable_slab_count: 0,
          kind: "object",
          live_objects: 17,
          refcount: 0,
        },
      ],
    });
  });

  test("somebody is still inside, whether objects are live or not", () => {
    const empty = { ...held, live_objects: 0 };
    for (const eras of [[held], [empty]]) {
      expect(find(leaky({ refcount: 2, eras }))).toMatchObject([
        { kind: "domain", refcount: 2, alloc_count: 2 },
      ]);
    }
  });

  test("a domain left open is named even without a slab", () => {
    expect(find(leaky({ refcount: 1, eras: [] }))).toMatchObject([
      { kind: "domain", class_index: -1, object_size: 0, estimated_rss_bytes: 0, epoch_era: 28 },
    ]);
  });

  test("one candidate per class of the era", () => {
    const other = eraRow({
      epoch_era: 28,
      class_index: 5,
      object_size: 512,
      total_full_slabs: 1,
      live_objects: 1,
    });
    const large = eraRow({
      epoch_era: 28,
      class_index: -1,
      object_size: 0,
      total_full_slabs: 9,
      live_objects: 1,
    });
    expect(find(leaky({ eras: [held, other, large] })).map((c) => c.class_index)).toEqual([-1, 2, 5]);
  });

  test("an object counted as a bigint", () => {
    expect(find(leaky({ eras: [{ ...held, live_objects: 2n ** 60n }] }))[0]?.live_objects).toBe(2 ** 60);
  });
});

describe("no candidates", () => {
  test.each<[string, Partial<EpochStats>]>([
    ["open", { state: "ACTIVE", refcount: 1 }],
    ["young", { age_sec: 59.9 }],
    ["never opened", { opened: false }],
    ["empty slabs only", { eras: [{ ...held, live_objects: 0 }] }],
    ["discarded: its objects are gone", { discarded: true }],
    ["nothing at all", { eras: [] }],
    ["live objects without a slab", { eras: [{ ...held, estimated_rss_bytes: 0 }] }],
  ])("%s", (_, values) => {
    expect(find(leaky())).toHaveLength(1);
    expect(find(leaky(values))).toEqual([]);
  });

  test("a discarded epoch that somebody is inside is one", () => {
    expect(find(leaky({ discarded: true, refcount: 1 }))).toMatchObject([
      { kind: "domain", live_objects: 0 },
    ]);
  });
});

describe("wrapped ring", () => {
  const old = eraRow({
    epoch_era: 12,
    class_index: 1,
    object_size: 96,
    total_partial_slabs: 1,
    live_objects: 3,
  });

  test.each(["ACTIVE", "CLOSING"])("an older era counts as closed under an %s ring slot", (state) => {
    const epoch = leaky({ state, refcount: 4, age_sec: 5, oldest_era: 12, oldest_age_sec: 900, eras: [old] });
    expect(find(epoch)).toMatchObject([
      { epoch_id: 12, epoch_era: 12, kind: "object", refcount: 0, label: "", age_sec: 900, live_objects: 3 },
    ]);
  });

  test("an older era has the label and the age it had, where they are still known", () => {
    const known = { ...old, label: "import", age_sec: 1234.5 };
    const epoch = leaky({ oldest_era: 12, oldest_age_sec: 900, eras: [known] });
    expect(find(epoch)).toMatchObject([{ epoch_era: 12, label: "import", age_sec: 1234.5 }]);
  });

  test("present and older era are told apart", () => {
    const epoch = leaky({ oldest_era: 12, oldest_age_sec: 900, eras: [held, old] });
    expect(find(epoch).map((c) => [c.epoch_era, c.age_sec, c.label])).toEqual([
      [28, 600, "background-worker-3"],
      [12, 900, ""],
    ]);
  });

  test("an era between the two is at least as old as every newer one", () => {
    const between = { ...old, epoch_era: 28 };
    const epoch = leaky({ epoch_era: 44, age_sec: 5, oldest_era: 12, oldest_age_sec: 900, eras: [between] });
    const newer = epochRow({ epoch_id: 1, epoch_era: 33, age_sec: 70 });
    const older = epochRow({
      epoch_id: 2,
      epoch_era: 18,
      age_sec: 8000,
      oldest_era: 18,
      oldest_age_sec: 8000,
    });
    expect(find(epoch)).toEqual([]);
    expect(find(epoch, newer, older)).toMatchObject([{ epoch_era: 28, age_sec: 70 }]);
  });
});

describe("documents of the C allocator", () => {
  const inC = (values: Partial<EpochStats>) =>
    detectEpochLeaks(
      cDocument({ epochs: [leaky({ eras: [], total_full_slabs: 2, estimated_rss_bytes: 8192, ...values })] }),
    ).candidates;

  test("references are all they count", () => {
    expect(inC({ refcount: 3, live_objects: 0 })).toMatchObject([
      {
        class_index: -1,
        object_size: 0,
        kind: "domain",
        alloc_count: 3,
        estimated_rss_bytes: 8192,
        full_slab_count: 2,
      },
    ]);
    expect(inC({ refcount: 0, live_objects: 0 })).toEqual([]);
  });

  test("objects inferred from slabs that are not empty", () => {
    expect(inC({ live_objects: 2 })).toMatchObject([{ kind: "object", live_objects: 2 }]);
  });

  test("no slab, no leak", () => {
    expect(inC({ refcount: 3, total_full_slabs: 0, estimated_rss_bytes: 0 })).toEqual([]);
  });
});

describe("options", () => {
  const document = documentWith({
    epochs: [
      leaky(),
      leaky({
        epoch_id: 3,
        epoch_era: 19,
        eras: [{ ...held, epoch_era: 19, total_full_slabs: 7, estimated_rss_bytes: 9 * SLAB }],
      }),
    ],
  });

  test("the threshold is an age that is reached", () => {
    expect(detectEpochLeaks(document, { thresholdSec: 600 }).candidate_count).toBe(2);
    expect(detectEpochLeaks(document, { thresholdSec: 600.001 }).candidate_count).toBe(0);
    expect(detectEpochLeaks(document, { thresholdSec: 600 }).threshold_sec).toBe(600);
  });

  test("all are counted, the largest listed", () => {
    const { candidate_count, top_count, candidates } = detectEpochLeaks(document, { top: 1 });
    expect([candidate_count, top_count, candidates.map((c) => c.epoch_id)]).toEqual([2, 1, [3]]);
    expect(detectEpochLeaks(document, { top: 0 })).toMatchObject({
      candidate_count: 2,
      top_count: 0,
      candidates: [],
    });
  });

  test.each<[unknown, typeof InvalidTypeError | typeof InvalidValueError, RegExp]>([
    [{ thresholdSec: -1 }, InvalidValueError, /"thresholdSec" must be a number from 0 to 1000000000; got -1/],
    [{ thresholdSec: Number.NaN }, InvalidValueError, /"thresholdSec".*got NaN/],
    [{ thresholdSec: "60" }, InvalidTypeError, /"thresholdSec".*got "60"/],
    [{ top: 1.5 }, InvalidValueError, /"top" must be a whole number from 0 .*got 1.5/],
    [{ topp: 1 }, InvalidTypeError, /unknown option "topp"; known are thresholdSec, top/],
    [null, InvalidTypeError, /must be an object; got null/],
    [[], InvalidTypeError, /must be an object; got an array/],
  ])("%j is refused", (options, type, message) => {
    expect(() => detectEpochLeaks(document, options as object)).toThrow(type);
    expect(() => detectEpochLeaks(document, options as object)).toThrow(message);
  });
});

test("random documents: largest first, counts agree, nobody is accused without evidence", () => {
  let accused = 0;
  fc.assert(
    fc.property(anyDocument, fc.nat(1000), fc.nat(5), (document, thresholdSec, top) => {
      const report = detectEpochLeaks(document, { thresholdSec, top });
      expect(report.top_count).toBe(report.candidates.length);
      expect(report.top_count).toBe(Math.min(top, report.candidate_count));
      const bytes = report.candidates.map((c) => c.estimated_rss_bytes);
      expect(bytes).toEqual([...bytes].sort((a, b) => b - a));
      for (const c of report.candidates) {
        accused++;
        expect(c.age_sec).toBeGreaterThanOrEqual(thresholdSec);
        expect(c.alloc_count).toBeGreaterThan(0);
        expect(c.kind === "domain").toBe(c.refcount > 0);
        if (c.kind === "object") expect(c.live_objects).toBe(c.alloc_count);
      }
    }),
  );
  expect(accused).toBeGreaterThan(0);
});
