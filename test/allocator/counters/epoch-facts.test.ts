/**
 * Defends: facts of an era are about that era alone: a newer era of the ring slot starts them anew, an older one leaves
 * them alone, and whoever reads while they change gets facts of one era or none.
 * Method: eras that share a ring slot report in every order; a reader looks at every access of a change.
 */
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import {
  addEpochFacts,
  type CloseFacts,
  noteClose,
  noteRecycled,
  noteReleased,
  readClose,
} from "../../../src/allocator/counters/epoch-facts.js";
import { EF_CLOSE_ERA, EPOCH_SHARD_WORDS } from "../../../src/allocator/counters/fields.js";
import { epochShard } from "../../../src/allocator/slabs/slab.js";
import { watchWords } from "../../regression/interleave.js";
import { another, lap, SLAB, smallHeap } from "../support.js";

const SHARD = EPOCH_SHARD_WORDS;
let m: Int32Array;
beforeEach(() => {
  m = new Int32Array(new SharedArrayBuffer(4 * 3 * EPOCH_SHARD_WORDS));
});

interface Recycled {
  slabsRecycled: number;
  madviseBytes: number;
}
function recycled(era: number, words = m, ...shards: number[]): Recycled {
  const sum = { slabsRecycled: 0, madviseBytes: 0 };
  for (const shard of shards.length === 0 ? [SHARD] : shards) addEpochFacts(words, shard, era, sum);
  return sum;
}

describe("slabs given back", () => {
  test("add up while the era is the newest", () => {
    noteRecycled(m, SHARD, 16, 1);
    noteReleased(m, SHARD, 16, 4096);
    noteRecycled(m, SHARD, 16, 3);
    noteRecycled(m, SHARD, 16, 1);
    noteReleased(m, SHARD, 16, 2 ** 33);
    expect(recycled(16)).toEqual({ slabsRecycled: 5, madviseBytes: 4096 + 2 ** 33 });
  });

  test("start anew with a newer era, bytes included", () => {
    noteRecycled(m, SHARD, 16, 5);
    noteReleased(m, SHARD, 16, 2 ** 33);
    noteRecycled(m, SHARD, 32, 2);
    expect(recycled(32)).toEqual({ slabsRecycled: 2, madviseBytes: 0 });
    expect(recycled(16)).toEqual({ slabsRecycled: 0, madviseBytes: 0 });
  });

  test("of an older era are left to the counters", () => {
    noteRecycled(m, SHARD, 32, 2);
    noteReleased(m, SHARD, 32, 100);
    const before = m.slice();
    noteRecycled(m, SHARD, 16, 7);
    noteReleased(m, SHARD, 16, 5000);
    expect(m).toEqual(before);
  });

  test("bytes released of an era nobody knew of yet begin its facts", () => {
    noteReleased(m, SHARD, 16, 4096);
    expect(recycled(16)).toEqual({ slabsRecycled: 0, madviseBytes: 4096 });
    noteRecycled(m, SHARD, 16, 1);
    expect(recycled(16)).toEqual({ slabsRecycled: 1, madviseBytes: 4096 });
  });

  test("of any order of eras: only those of the newest so far, of every shard that has any", () => {
    const note = fc.record({
      shard: fc.constantFrom(0, SHARD, 2 * SHARD),
      lap: fc.integer({ min: 1, max: 4 }),
      slabs: fc.integer({ min: 1, max: 9 }),
      bytes: fc.constantFrom(0, 4096, 2 ** 32),
    });
    fc.assert(
      fc.property(fc.array(note, { maxLength: 30 }), (notes) => {
        m.fill(0);
        for (const { shard, lap, slabs, bytes } of notes) {
          noteRecycled(m, shard, 16 * lap, slabs);
          noteReleased(m, shard, 16 * lap, bytes);
        }
        for (let era = 16; era <= 64; era += 16) {
          const expected = { slabsRecycled: 0, madviseBytes: 0 };
          for (const shard of [0, SHARD, 2 * SHARD]) {
            const ofShard = notes.filter((n) => n.shard === shard);
            if (Math.max(...ofShard.map((n) => 16 * n.lap)) !== era) continue;
            for (const n of ofShard.filter((each) => 16 * each.lap === era)) {
              expected.slabsRecycled += n.slabs;
              expected.madviseBytes += n.bytes;
            }
          }
          expect(recycled(era, m, 0, SHARD, 2 * SHARD)).toEqual(expected);
        }
      }),
    );
  });

  test("a reader at any access of the change of eras sees one era's facts or none", () => {
    noteRecycled(m, SHARD, 16, 5);
    noteReleased(m, SHARD, 16, 4096);
    const seen: [Recycled, Recycled][] = [];
    watchWords(
      m,
      (watched) => {
        noteRecycled(watched, SHARD, 32, 1);
        noteReleased(watched, SHARD, 32, 512);
      },
      () => seen.push([recycled(16), recycled(32)]),
    );
    expect(seen.length).toBeGreaterThan(5);
    for (const [old, young] of seen) {
      expect([5, 0]).toContain(old.slabsRecycled);
      expect(old.madviseBytes).toBe(old.slabsRecycled === 5 ? 4096 : 0);
      expect([0, 1]).toContain(young.slabsRecycled);
      expect([0, 512]).toContain(young.madviseBytes);
    }
  });
});

describe("a close", () => {
  const facts = (n: number): CloseFacts => ({
    atMs: 1.9e12 + n,
    committedBefore: n,
    committedAfter: n - 1,
    rssBefore: 2 ** 32 * n + 7,
    rssAfter: 2 ** 31 + n,
    releasedBytes: 2 ** 33 * n + 4096,
  });

  test("is read back whole, by its own era only", () => {
    expect(readClose(m, SHARD, 16)).toBeUndefined();
    noteClose(m, SHARD, 16, facts(9));
    expect(readClose(m, SHARD, 16)).toEqual(facts(9));
    expect(readClose(m, SHARD, 32)).toBeUndefined();
    noteClose(m, SHARD, 32, facts(3));
    expect(readClose(m, SHARD, 32)).toEqual(facts(3));
    expect(readClose(m, SHARD, 16)).toBeUndefined();
    expect(recycled(32)).toEqual({ slabsRecycled: 0, madviseBytes: 0 });
  });

  test.each([16, 32])("a reader at any access sees all of one close or none (era %i after 16)", (era) => {
    noteClose(m, SHARD, 16, facts(9));
    const seen: (CloseFacts | undefined)[] = [];
    watchWords(
      m,
      (watched) => noteClose(watched, SHARD, era, facts(3)),
      () => seen.push(readClose(m, SHARD, 16), readClose(m, SHARD, era)),
    );
    expect(seen.length).toBeGreaterThan(16);
    const allowed = [undefined, facts(9), facts(3)];
    for (const one of seen) expect(allowed).toContainEqual(one);
    expect(readClose(m, SHARD, era)).toEqual(facts(3));
  });

  test("a reader whose facts change between its accesses gets none", () => {
    noteClose(m, SHARD, 16, facts(9));
    let accesses = 0;
    for (let n = 0; n < 20; n++) {
      let at = 0;
      m[SHARD + EF_CLOSE_ERA] = 0; // or the newer era of the last round would stay
      noteClose(m, SHARD, 16, facts(9));
      const read = watchWords(
        m,
        (watched) => readClose(watched, SHARD, 16),
        () => {
          if (at++ === n) noteClose(m, SHARD, 32, facts(3));
        },
      );
      accesses = Math.max(accesses, at);
      if (n < at) expect(read).toBeUndefined();
      else expect(read).toEqual(facts(9));
    }
    expect(accesses).toBeGreaterThan(8);
    expect(accesses).toBeLessThan(20);
  });
});

test("in a heap: what a seat gave back of one era, runs by their length, released bytes", () => {
  const heap = smallHeap({
    pageReleaser: { release: (_buffer, _at, bytes) => bytes },
    releasePolicy: { reserveBytes: 0 },
  });
  const other = another(heap);
  heap.poll();
  const { id, era } = heap.currentEpoch;
  const old = heap.alloc(64);
  const of = (seat: typeof heap, wanted: number): Recycled =>
    recycled(wanted, heap._a.m, epochShard(seat._a, id));
  lap(heap);
  const young = heap.currentEpoch;
  expect(young.id).toBe(id);
  heap.alloc(64);
  heap.alloc(3 * SLAB);
  other.alloc(1024);
  heap.discardEpoch(young);
  expect(of(heap, young.era)).toEqual({ slabsRecycled: 4, madviseBytes: 4 * SLAB });
  expect(of(other, young.era).slabsRecycled).toBe(0);
  other.poll();
  expect(of(other, young.era)).toEqual({ slabsRecycled: 1, madviseBytes: 0 });
  expect(heap.free(old)).toBe(true);
  expect(of(heap, era).slabsRecycled).toBe(0);
  expect(of(heap, young.era).slabsRecycled).toBe(4);
  for (const each of [other, heap]) each.detach();
});
