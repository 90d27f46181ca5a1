/**
 * Defends: a reader opens whatever leads to a heap's buffer and refuses the rest with a typed error; it needs no seat,
 * stores nothing, outlives the heap object, and its methods tell the same as a snapshot; figures that are caught half
 * written (labels, carries, facts) are never torn.
 * Method: one small heap with some of everything; all metadata compared before and after each method; words a writer
 * would leave in the middle are written by hand.
 */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { C_NEW_SLAB, C_SLOW, CLASS_FIELDS, SEAT_FIELDS } from "../../../src/allocator/counters/fields.js";
import {
  HeapFormatError,
  InvalidTypeError,
  InvalidValueError,
  SeatsExhaustedError,
} from "../../../src/allocator/errors.js";
import type { SlabHeap } from "../../../src/allocator/heap/heap.js";
import {
  binAt,
  EP_LABEL_A,
  EP_LABEL_B,
  EP_LABEL_SEQ,
  EPOCH_BASE,
  EPOCH_WORDS,
  LABEL_TEXT,
  SEAT_COUNTERS,
  seatAt,
} from "../../../src/allocator/memory/layout.js";
import type { Handle } from "../../../src/allocator/types.js";
import { writeLabel } from "../../../src/allocator/words/label.js";
import {
  type ClassStats,
  type EraStats,
  type HeapSnapshot,
  readStats,
  StatsReader,
  stringifyStats,
} from "../../../src/stats/index.js";
import { another, epochId, SLAB, smallHeap } from "../../allocator/support.js";

const START = 1_790_000_000_000;

let heap: SlabHeap;
let reader: StatsReader;
let others: SlabHeap[];
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: START });
  heap = smallHeap();
  reader = StatsReader.open(heap);
  others = [];
});
afterEach(() => {
  for (const each of [heap, ...others]) each.detach();
  vi.useRealTimers();
});

/** Some of everything: two eras, two seats, large objects, frees of all kinds, a label, a domain, refusals. */
function useHeap(): void {
  const other = another(heap);
  others.push(other);
  heap.openDomain({ label: "request" });
  const mine = Array.from({ length: 70 }, (_, i) => heap.alloc(1 + (i % 128)));
  const theirs = Array.from({ length: 9 }, () => other.alloc(1000));
  const run = other.alloc(2 * SLAB);
  for (const handle of [...mine.slice(0, 20), ...theirs.slice(0, 3)]) heap.free(handle);
  heap.free(run);
  heap.free(run);
  heap.free(0 as Handle);
  heap.advanceEpoch();
  heap.alloc(64);
  heap.alloc(64, epochId(9));
  heap.alloc(3 * SLAB);
  other.closeEpoch(epochId(0));
}

/** The document without the time it was taken and the process's memory. */
function steady(document: HeapSnapshot): object {
  const { timestamp_ns: _time, rss_bytes_current: _rss, ...rest } = document;
  return rest;
}

describe("opening", () => {
  test("a heap, its ref, a clone of its ref, its buffer: the same figures", () => {
    useHeap();
    const expected = steady(reader.snapshot());
    const sources = [heap, heap.share(), structuredClone(heap.share()), heap.buffer, { buffer: heap.buffer }];
    for (const source of sources) expect(steady(StatsReader.open(source).snapshot())).toEqual(expected);
  });

  test.each<[unknown]>([
    [undefined],
    [null],
    [0],
    ["heap"],
    [{}],
    [[]],
    [() => 0],
    [new ArrayBuffer(4096)],
    [new Uint8Array(8)],
    [{ buffer: new ArrayBuffer(8) }],
    [{ buffer: null }],
    [{ buffer: undefined }],
    [Symbol("heap")],
  ])("InvalidTypeError for %s", (source) => {
    expect(() => StatsReader.open(source as never)).toThrow(InvalidTypeError);
    expect(() => StatsReader.open(source as never)).toThrow(/SlabHeap|share|SharedArrayBuffer/);
  });

  test("HeapFormatError for buffers that are no heap", () => {
    const cut = new SharedArrayBuffer(heap.buffer.byteLength / 2);
    new Uint8Array(cut).set(new Uint8Array(heap.buffer, 0, cut.byteLength));
    const zeros = new SharedArrayBuffer(heap.buffer.byteLength);
    const noise = new SharedArrayBuffer(65536);
    new Uint8Array(noise).fill(0xa5);
    for (const buffer of [new SharedArrayBuffer(0), new SharedArrayBuffer(100), zeros, noise, cut]) {
      expect(() => StatsReader.open(buffer)).toThrow(HeapFormatError);
      expect(() => StatsReader.open({ buffer })).toThrow(HeapFormatError);
    }
    const copy = new SharedArrayBuffer(heap.buffer.byteLength);
    new Uint8Array(copy).set(new Uint8Array(heap.buffer));
    expect(steady(StatsReader.open(copy).snapshot())).toEqual(steady(reader.snapshot()));
  });
});

describe("without a seat, a lock or a store", () => {
  test("all seats taken", () => {
    for (let i = 1; i < 4; i++) others.push(another(heap));
    expect(() => another(heap)).toThrow(SeatsExhaustedError);
    const { heap: figures, workers } = StatsReader.open(heap).snapshot();
    expect(figures).toMatchObject({ attached_workers: 4, max_workers: 4 });
    expect(workers.map((row) => [row.seat, row.state])).toEqual([1, 2, 3, 4].map((seat) => [seat, "LIVE"]));
  });

  const methods: [string, () => unknown][] = [
    ["open", () => StatsReader.open(heap.share())],
    ["snapshot", () => reader.snapshot()],
    ["global", () => reader.global()],
    ["class", () => [0, 1, 2].map((index) => reader.class(index))],
    ["epoch", () => [0, 1, 2].map((index) => reader.epoch(index, 0))],
    ["epochs", () => reader.epochs()],
    ["workers", () => reader.workers()],
  ];
  test.each(methods)("%s changes no byte of the buffer", (_name, method) => {
    useHeap();
    const before = heap.u8.slice();
    for (let i = 0; i < 3; i++) method();
    expect(Buffer.compare(before, heap.u8)).toBe(0);
    // The comparison can fail.
    heap.alloc(64);
    expect(Buffer.compare(before, heap.u8)).not.toBe(0);
  });

  test("goes on after the heap object was detached, and after the heap came back", () => {
    useHeap();
    const { alloc_count } = reader.snapshot().heap;
    const ref = heap.share();
    for (const each of [heap, ...others]) each.detach();
    const alone = reader.snapshot();
    expect(alone.heap).toMatchObject({ attached_workers: 0, alloc_count });
    expect(Number(alone.heap.live_objects)).toBeGreaterThan(0);
    expect(alone.heap.orphaned_slabs).toBe(alone.heap.slab_count - alone.heap.free_slabs);
    expect(alone.workers.map((row) => row.owned_slabs)).toEqual([0, 0]);
    expect(steady(StatsReader.open(ref).snapshot())).toEqual(steady(alone));
    const later = (heap.constructor as typeof SlabHeap).attach(ref);
    later.alloc(64);
    expect(Number(reader.snapshot().heap.alloc_count)).toBe(Number(alloc_count) + 1);
    expect(reader.snapshot().heap.orphaned_slabs).toBe(0);
    later.detach();
  });

  test("two readers do not know of each other", () => {
    const second = StatsReader.open(heap.buffer);
    for (let i = 0; i < 5; i++) {
      heap.free(heap.alloc(64));
      reader.snapshot();
      if (i % 2 === 0) second.epochs();
    }
    expect(steady(second.snapshot())).toEqual(steady(reader.snapshot()));
    expect(steady(StatsReader.open(heap).snapshot())).toEqual(steady(reader.snapshot()));
  });
});

describe("methods", () => {
  test("tell the same as a snapshot", () => {
    useHeap();
    const document = reader.snapshot();
    const { classes, epochs, workers, ...global } = document;
    expect(steady(reader.global() as HeapSnapshot)).toEqual(steady(global as HeapSnapshot));
    expect(Object.keys(reader.global())).not.toContain("classes");
    expect(classes.map((_, index) => reader.class(index))).toEqual(classes);
    expect(reader.epochs()).toEqual(epochs);
    expect(reader.workers()).toEqual(workers);
    let found = 0;
    for (const epoch of epochs) {
      for (const { class_index: index } of classes) {
        const rows = epoch.eras.filter(
          (row) => row.epoch_era === epoch.epoch_era && row.class_index === index,
        );
        const row = reader.epoch(index, epoch.epoch_id);
        found += rows.length;
        if (rows.length > 0) expect(row).toEqual(rows[0]);
        else expect(row).toEqual(zeros(index, epoch.epoch_era, epoch.label, epoch.age_sec));
      }
    }
    expect(found).toBeGreaterThan(2);
  });

  function zeros(index: number, era: number, label: string, ageSec: number): EraStats {
    return {
      epoch_era: era,
      label,
      age_sec: ageSec,
      class_index: index,
      object_size: heap.sizeClasses[index],
      total_partial_slabs: 0,
      total_full_slabs: 0,
      total_reclaimable_slabs: 0,
      estimated_rss_bytes: 0,
      live_objects: 0,
      live_bytes: 0,
    };
  }

  test("a document that was taken does not change afterwards", () => {
    const document = reader.snapshot();
    const text = stringifyStats(document);
    useHeap();
    reader.snapshot();
    expect(stringifyStats(document)).toBe(text);
    expect(readStats(text)).toEqual(document);
  });

  test.each([-1, 3, 16, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32])(
    "class index %s is refused",
    (index) => {
      for (const call of [() => reader.class(index), () => reader.epoch(index, 0)]) {
        expect(call).toThrow(InvalidValueError);
        expect(call).toThrow(`class index must be a whole number from 0 to 2; got ${index}.`);
      }
    },
  );

  test.each([-1, 16, 0.5, Number.NaN, 2 ** 32])("epoch id %s is refused", (id) => {
    expect(() => reader.epoch(0, id)).toThrow(InvalidValueError);
    expect(() => reader.epoch(0, id)).toThrow(`epoch id must be a whole number from 0 to 15; got ${id}.`);
  });

  test("an index that is no number is refused, with a word on what it is", () => {
    const values: [unknown, string][] = [
      ["0", 'got "0".'],
      [null, "got null."],
      [undefined, "got undefined."],
      [true, "got true."],
      [1n, "got 1."],
      [Symbol("x"), "got Symbol(x)."],
      [{}, "got an object."],
      [Object.create(null), "got an object."],
      [[0], "got an array."],
    ];
    for (const [value, words] of values) {
      for (const call of [
        () => reader.class(value as number),
        () => reader.epoch(value as number, 0),
        () => reader.epoch(0, value as number),
      ]) {
        expect(call).toThrow(InvalidTypeError);
        expect(call).toThrow(words);
      }
    }
  });
});

describe("labels", () => {
  const seqAt = (ring: number): number => EPOCH_BASE + ring * EPOCH_WORDS + EP_LABEL_SEQ;
  const labelNow = (): string => reader.epochs()[0].label;

  test("a writer that died in the middle leaves the old label", () => {
    const { m } = heap._a;
    for (const [i, old] of ["first", "second", "third"].entries()) {
      heap.setEpochLabel(epochId(0), old);
      const seq = m[seqAt(0)];
      // Busy, and the buffer that is not readable is half overwritten.
      m[seqAt(0)] = seq | (2 << 1) | 1;
      const spare = EPOCH_BASE + (((seq >>> 9) & 1) === 0 ? EP_LABEL_B : EP_LABEL_A);
      m.fill(0x41414141, spare + LABEL_TEXT, spare + LABEL_TEXT + 3);
      expect(labelNow(), `label ${i}`).toBe(old);
      // A second writer does not wait for the dead one.
      expect(writeLabel(m, 0, 16, heap.seat, "too late")).toBe(false);
      expect(labelNow(), `label ${i}`).toBe(old);
      m[seqAt(0)] = seq;
    }
  });

  test("a label that ends in the middle of being read is read whole, or not at all", () => {
    const { m } = heap._a;
    const texts = ["A".repeat(31), "B".repeat(31)];
    heap.setEpochLabel(epochId(0), texts[0]);
    const load = Atomics.load;
    const seen = new Set<string>();
    // A writer runs between any two loads of the reader.
    for (let n = 0; n < 60; n++) {
      let loads = 0;
      const spy = vi.spyOn(Atomics, "load").mockImplementation(((words: Int32Array, index: number) => {
        const inLabels = index >= EPOCH_BASE && index < EPOCH_BASE + EP_LABEL_B + 16;
        if (words.length === m.length && inLabels && loads++ === n) {
          for (let i = 0; i < 3; i++) writeLabel(m, 0, 16, heap.seat, texts[(n + i) % 2]);
        }
        return load(words, index);
      }) as never);
      const label = labelNow();
      spy.mockRestore();
      expect([...texts, ""]).toContain(label);
      seen.add(label);
    }
    expect(seen.size).toBeGreaterThan(1);
  });

  test("the registry keeps the first fourteen; an older era's label beyond them is (other)", () => {
    const ring = heap.currentEpoch;
    for (let i = 1; i <= 14; i++) heap.setEpochLabel(ring.id, `name ${i}`);
    heap.setEpochLabel(ring.id, "one too many");
    const { label_registry: registry, epochs } = reader.snapshot();
    expect(registry.count).toBe(16);
    expect(registry.max_labels).toBe(16);
    expect(registry.labels[0]).toBe("(unlabeled)");
    expect(Object.keys(registry.labels)).toHaveLength(16);
    expect(registry.labels[15]).toBe("(other)");
    for (let i = 1; i <= 14; i++) expect(registry.labels[i]).toBe(`name ${i}`);
    expect(epochs[ring.id].label).toBe("one too many");
    heap.alloc(64);
    for (let i = 0; i < 16; i++) heap.advanceEpoch();
    const now = reader.epochs()[ring.id];
    expect(now.label).toBe("");
    expect(now.eras.map((row) => [row.epoch_era, row.label])).toEqual([[ring.era, "(other)"]]);
  });
});

describe("64-bit counters", () => {
  const TWO_32 = 2 ** 32;
  const classCell = C_SLOW;
  const put = (cell: number, lo: number, announced: number, done: number): void => {
    const { m } = heap._a;
    m[cell] = lo | 0;
    m[cell + 1] = announced;
    m[cell + 2] = done;
  };

  test.each([0, 1, 2 ** 20 - 1])("a carry to high half %i + 1 is never torn", (high) => {
    const cell = binAt(heap._a.layout, heap.seat, 1) + classCell;
    const value = (): number => Number(reader.class(1).slow_path_hits);
    const below = high * TWO_32 + TWO_32 - 1;
    put(cell, -1, high, high);
    expect(value()).toBe(below);
    put(cell, -1, high + 1, high); // announced
    expect(value()).toBe(below);
    put(cell, 0, high + 1, high); // wrapped
    expect(value()).toBe(below + 1);
    put(cell, 0, high + 1, high + 1); // done
    expect(value()).toBe(below + 1);
    put(cell, 5, high + 1, high + 1);
    expect(reader.snapshot().total_slow_path_hits).toBe(below + 6);
  });

  test("every cell of every shard arrives in the document with all its bits", () => {
    const { layout } = heap._a;
    const value = 3 * TWO_32 + 7;
    for (const { cell, name } of CLASS_FIELDS) {
      put(binAt(layout, heap.seat, 2) + cell, 7, 3, 3);
      const row = reader.class(2);
      expect([name, Number(row[name as keyof ClassStats])]).toEqual([name, value]);
      put(binAt(layout, heap.seat, 2) + cell, 0, 0, 0);
    }
    for (const { cell, name } of SEAT_FIELDS) {
      put(seatAt(layout, heap.seat) + SEAT_COUNTERS + cell, 7, 3, 3);
      const { heap: row } = StatsReader.open(heap).snapshot();
      expect([name, Number(row[name])]).toEqual([name, value]);
      put(seatAt(layout, heap.seat) + SEAT_COUNTERS + cell, 0, 0, 0);
    }
  });

  test("sums over seats and classes are exact beyond 32 bits", () => {
    others.push(another(heap));
    const { layout } = heap._a;
    fc.assert(
      fc.property(
        fc.array(fc.nat(2 ** 31 - 1), { minLength: 6, maxLength: 6 }),
        fc.nat(1000),
        (los, high) => {
          let total = 0;
          los.forEach((lo, i) => {
            put(binAt(layout, 1 + (i % 2), i >> 1) + C_NEW_SLAB, lo, high, high);
            total += high * TWO_32 + lo;
          });
          const document = StatsReader.open(heap).snapshot();
          expect(document.total_slabs_allocated).toBe(total);
          expect(document.classes[0].new_slab_count).toBe(2 * high * TWO_32 + los[0] + los[1]);
        },
      ),
    );
    for (let i = 0; i < 6; i++) put(binAt(layout, 1 + (i % 2), i >> 1) + C_NEW_SLAB, 0, 0, 0);
  });
});
