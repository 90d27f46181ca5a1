/** Every operation that counts something, each from a state that makes it do what its name says. */
import { expect } from "vitest";
import { closeEra, discardEra } from "../../src/allocator/epochs/ring.js";
import { startSampling } from "../../src/allocator/heap/sampling.js";
import { ERA, PHASE, PRESSURE, recordAt, SLAB_COLLECTING } from "../../src/allocator/memory/layout.js";
import { reapSeat } from "../../src/allocator/seats/reap.js";
import { collect } from "../../src/allocator/slabs/remote-free.js";
import { LAST_GENERATION, SLOT_ALLOC, SLOT_FREE } from "../../src/allocator/words/slot-word.js";
import { epochId, SLAB, slabOf, slotWordOf } from "../allocator/support.js";
import {
  countUpToSample,
  freedByOthers,
  freedUntold,
  freeUnseen,
  last,
  orphans,
  type Scenario,
  slotIs,
  take,
} from "./counted-world.js";
import { killWhen } from "./interleave.js";

export const SCENARIOS: Scenario[] = [
  { name: "alloc", act: ({ a }) => a.alloc(64), least: 9 },
  { name: "allocOffset", act: ({ a }) => a.allocOffset(64), least: 9 },
  { name: "alloc, a new slab", act: ({ a }) => a.alloc(128), least: 100 },
  {
    name: "alloc, more slots of the slab",
    prepare: (w) => take(w, w.a, 28, 64),
    act: ({ a }) => a.alloc(64),
    least: 100,
  },
  {
    name: "alloc, the 4096th of its slab",
    prepare: (w) => countUpToSample(w.a, last(w)),
    act: ({ a }) => a.alloc(64),
    least: 15,
  },
  {
    name: "alloc, sampled",
    prepare(w) {
      countUpToSample(w.a, last(w));
      startSampling(w.a, { slowPathInterval: 1 });
    },
    act: ({ a }) => a.alloc(64),
    least: 25,
  },
  {
    name: "alloc, remote frees taken back",
    prepare(w) {
      take(w, w.a, 60, 64);
      freedByOthers(w);
    },
    act: ({ a }) => a.alloc(64),
    least: 200,
  },
  {
    name: "alloc, an orphan adopted",
    prepare: orphans,
    act: ({ a }) => a.alloc(1024),
    least: 300,
  },
  {
    name: "alloc, out of memory",
    prepare(w) {
      while (w.b.alloc(4000) !== 0);
    },
    act: ({ a }) => expect(a.alloc(2000)).toBe(0),
    least: 100,
  },
  { name: "alloc, the epoch closed", act: ({ a }) => expect(a.alloc(64, epochId(5))).toBe(0), least: 5 },
  { name: "alloc of a run", act: ({ a }) => a.alloc(3 * SLAB), least: 50 },
  {
    name: "alloc of a run, no room",
    prepare(w) {
      take(w, w.b, 1, 4 * SLAB);
    },
    act: ({ a }) => expect(a.alloc(3 * SLAB)).toBe(0),
    least: 50,
  },
  { name: "free", act: (w) => expect(w.a.free(last(w))).toBe(true), least: 10 },
  { name: "freeOffset", act: (w) => expect(w.a.freeOffset(w.a.byteOffset(last(w)))).toBe(true), least: 10 },
  {
    name: "free, into a full slab",
    prepare: (w) => take(w, w.a, 66, 64),
    act: (w) => w.a.free(w.mine[3]),
    least: 15,
  },
  {
    name: "free, of a closed epoch",
    prepare(w) {
      w.a.advanceEpoch();
    },
    act: (w) => w.a.free(last(w)),
    least: 15,
  },
  {
    name: "free, the last of a closed epoch",
    prepare(w) {
      w.a.advanceEpoch();
      for (const handle of w.mine.splice(1)) w.a.free(handle);
    },
    act: (w) => w.a.free(w.mine[0]),
    least: 55,
  },
  {
    name: "a trim",
    prepare(w) {
      const release = (_buffer: SharedArrayBuffer, _at: number, bytes: number): number => bytes;
      Object.assign(w.a._a, { rules: { ...w.a._a.rules, releaser: { release } } });
      w.a.advanceEpoch();
      for (const handle of w.mine.splice(1)) w.a.free(handle);
      w.a.free(w.mine.pop() as (typeof w.mine)[number]);
    },
    act: (w) => expect(w.a.trim().failures).toBe(0),
    least: 50,
  },
  { name: "free, zeroing", options: { zeroOnFree: true }, act: (w) => w.a.free(last(w)), least: 15 },
  {
    name: "free, of the last generation",
    prepare(w) {
      w.a._a.m[slotWordOf(w.a, last(w))] = (LAST_GENERATION << 2) | SLOT_ALLOC;
    },
    act: (w) => w.a.freeOffset(w.a._a.layout.payloadOffset + slabOf(w.a, last(w)) * SLAB + 64 * 3),
    least: 10,
  },
  {
    name: "free of a run",
    prepare: (w) => take(w, w.a, 1, 3 * SLAB),
    act: (w) => w.a.free(last(w)),
    least: 45,
  },
  {
    name: "remote free",
    prepare: (w) => take(w, w.b, 2, 64),
    act: ({ a, all }) => a.free(all[0]),
    least: 12,
  },
  {
    name: "remote free, sampled",
    prepare: (w) => startSampling(w.a, { remoteFreeInterval: 1 }),
    act: ({ a, all }) => a.free(all[0]),
    least: 16,
  },
  {
    name: "remote freeOffset",
    act: ({ a, all }) => a.freeOffset(a.byteOffset(all[0])),
    least: 12,
  },
  {
    name: "remote free of a run",
    prepare: (w) => take(w, w.b, 1, 2 * SLAB),
    act: ({ a, all }) => a.free(all[all.length - 1]),
    least: 12,
  },
  {
    name: "remote free into an orphan",
    prepare(w) {
      take(w, w.c, 3, 128);
      w.c.detach();
    },
    act: ({ a, all }) => freeUnseen(a, all[all.length - 1]),
    least: 5,
  },
  { name: "collect", prepare: freedByOthers, act: ({ a }) => expect(collect(a._a, true)).toBe(2), least: 50 },
  {
    name: "collect, zeroing",
    options: { zeroOnFree: true },
    prepare: freedByOthers,
    act: ({ a }) => collect(a._a, true),
    least: 50,
  },
  {
    name: "collect, the last objects of a closed epoch",
    prepare(w) {
      for (const handle of w.mine) w.b.free(handle);
      w.b.advanceEpoch();
    },
    act: ({ a }) => a.poll(),
    least: 130,
  },
  {
    name: "collect, a run",
    prepare(w) {
      w.b.free(take(w, w.a, 1, 2 * SLAB)[0]);
    },
    act: ({ a }) => expect(collect(a._a, true)).toBe(1),
    least: 45,
  },
  {
    name: "collect, stale bits",
    prepare(w) {
      const [run] = take(w, w.a, 1, 2 * SLAB);
      const { m, seatBase, layout } = w.a._a;
      m[seatBase + layout.seatPending] |= (1 << slabOf(w.a, run)) | (1 << slabOf(w.a, w.mine[0]));
    },
    act: ({ a }) => expect(collect(a._a, true)).toBe(0),
    least: 40,
  },
  {
    name: "close",
    prepare(w) {
      for (const handle of take(w, w.a, 5, 1024)) w.a.free(handle);
      take(w, w.a, 1, 2 * SLAB);
    },
    act: ({ a }) => expect(a.closeEpoch(a.currentEpoch).slabsRecycled).toBe(2),
    least: 240,
  },
  {
    name: "advance",
    prepare(w) {
      for (const handle of take(w, w.a, 1, 1024)) w.a.free(handle);
    },
    act: ({ a }) => a.advanceEpoch(),
    least: 130,
  },
  {
    name: "discard",
    prepare(w) {
      take(w, w.a, 9, 64);
      take(w, w.a, 1, 2 * SLAB);
    },
    act: ({ a }) => expect(a.discardEpoch(a.currentEpoch).objectsDiscarded).toBe(14),
    least: 280,
  },
  {
    name: "discard, with remote frees taken back",
    prepare(w) {
      take(w, w.a, 9, 64);
      freedByOthers(w);
      w.b.free(take(w, w.a, 1, 2 * SLAB)[0]);
    },
    act: ({ a }) => a.discardEpoch(a.currentEpoch),
    least: 270,
  },
  {
    name: "discard, with remote frees not told yet",
    prepare(w) {
      take(w, w.a, 9, 64);
      freedUntold(w);
    },
    behind: true,
    act: ({ a }) => a.discardEpoch(a.currentEpoch),
    least: 240,
  },
  {
    name: "discard, zeroing",
    options: { zeroOnFree: true },
    prepare(w) {
      take(w, w.a, 9, 64);
    },
    act: ({ a }) => a.discardEpoch(a.currentEpoch),
    least: 300,
  },
  {
    name: "another's discard honoured",
    prepare: (w) => w.b.discardEpoch(w.b.currentEpoch),
    act: ({ a }) => a.poll(),
    least: 150,
  },
  {
    name: "discardBefore",
    prepare(w) {
      w.a.advanceEpoch();
      take(w, w.a, 3, 64);
      w.a.advanceEpoch();
      take(w, w.a, 3, 64);
    },
    act: ({ a }) => expect(a.discardBefore(a.currentEpoch).objectsDiscarded).toBe(7),
    least: 400,
  },
  {
    name: "detach",
    prepare(w) {
      for (const handle of take(w, w.a, 5, 1024)) w.a.free(handle);
      take(w, w.a, 1, 2 * SLAB);
    },
    act: ({ a }) => a.detach(),
    least: 250,
  },
  {
    name: "detach, with remote frees not told yet",
    prepare(w) {
      take(w, w.a, 1, 2 * SLAB);
      freedUntold(w);
    },
    behind: true,
    act: ({ a }) => a.detach(),
    least: 170,
  },
  {
    name: "leaving a domain that closes its epoch",
    prepare(w) {
      w.a.openDomain({ autoClose: true, label: "x" });
      for (const handle of take(w, w.a, 5, 1024)) w.a.free(handle);
    },
    act: ({ a }) => a.domains[0].exit(),
    least: 230,
  },
  {
    name: "a release that closes its epoch",
    prepare(w) {
      w.a.retainEpoch(epochId(0));
      w.a.openDomain({ autoClose: true }).exit();
      for (const handle of take(w, w.a, 5, 1024)) w.a.free(handle);
    },
    act: ({ a }) => expect(a.releaseEpoch(epochId(0))).toBe(0),
    least: 230,
  },
  {
    name: "empty slabs given back under pressure",
    prepare(w) {
      for (const handle of take(w, w.a, 5, 1024)) w.a.free(handle);
      w.a._a.m[PRESSURE]++;
      w.a._a.m[PHASE]++;
    },
    act: ({ a }) => a.poll(),
    least: 130,
  },
  { name: "adoption", prepare: orphans, act: ({ a }) => a.poll(), least: 400 },
  {
    name: "adoption, zeroing",
    options: { zeroOnFree: true },
    prepare: orphans,
    act: ({ a }) => a.poll(),
    least: 400,
  },
  {
    name: "adoption, of a closed epoch",
    prepare(w) {
      orphans(w);
      closeEra(w.b._a, w.b._a.m[ERA]); // without looking itself: b would adopt
    },
    act: ({ a }) => a.poll(),
    least: 400,
  },
  {
    name: "adoption, of a discarded epoch",
    prepare(w) {
      orphans(w);
      discardEra(w.b._a, w.b._a.m[ERA]);
    },
    act: ({ a }) => a.poll(),
    least: 300,
  },
  {
    name: "adoption, of slabs whose owner died in a free",
    behind: true,
    prepare(w) {
      const [handle] = take(w, w.c, 3, 64);
      killWhen(w.c, () => w.c.free(handle), slotIs(w, handle, SLOT_FREE));
      closeEra(w.b._a, w.b._a.m[ERA]);
    },
    act: ({ a, c }) => reapSeat(a._a, c.seat, c.incarnation),
    least: 300,
  },
  {
    name: "free of a run whose former owner died looking for remote frees",
    prepare(w) {
      const [run] = take(w, w.c, 1, 2 * SLAB);
      const { m, seatBase, layout } = w.c._a;
      m[seatBase + layout.seatPending] |= 1 << slabOf(w.c, run);
      const record = recordAt(slabOf(w.c, run));
      killWhen(
        w.c,
        () => collect(w.c._a, true),
        () => w.b._a.m[record + SLAB_COLLECTING] === 1,
      );
      expect(reapSeat(w.a._a, w.c.seat, w.c.incarnation).status).toBe("reaped");
      w.mine.push(run);
    },
    act: (w) => expect(w.a.free(last(w))).toBe(true),
    least: 45,
  },
  {
    name: "free of a run where one was whose owner died taking it back",
    prepare(w) {
      const [run] = take(w, w.c, 1, 2 * SLAB);
      w.b.free(run);
      killWhen(w.c, () => collect(w.c._a, true), slotIs(w, run, SLOT_FREE));
      expect(reapSeat(w.a._a, w.c.seat, w.c.incarnation).status).toBe("reaped");
      const [again] = take(w, w.a, 1, 2 * SLAB);
      expect(slabOf(w.a, again)).toBe(slabOf(w.a, run));
    },
    act: (w) => expect(w.a.free(last(w))).toBe(true),
    least: 45,
  },
  {
    name: "reap",
    prepare: (w) => take(w, w.c, 9, 128),
    act: ({ a, c }) => reapSeat(a._a, c.seat, c.incarnation),
    least: 400,
  },
];
