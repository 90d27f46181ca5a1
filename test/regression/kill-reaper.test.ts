/**
 * Defends: counters are exact after a thread died, its reaper died over the reaping, and another one reaped both.
 * Method: the first thread dies where it has done half of a count; its reaper is killed at every access. Objects are
 * counted in the slot words, which know nothing of counters.
 */
import { describe, expect, test } from "vitest";
import {
  recordAt,
  SEAT_COMMIT_COUNTS,
  SEAT_COMMIT_RECORD,
  SLAB_FOLDED,
} from "../../src/allocator/memory/layout.js";
import { reapSeat } from "../../src/allocator/seats/reap.js";
import { collect } from "../../src/allocator/slabs/remote-free.js";
import { SLOT_FREE, SLOT_REMOTE_FREED } from "../../src/allocator/words/slot-word.js";
import { allCounters, slabOf } from "../allocator/support.js";
import { build, expectExact, freeUnseen, highest, slotIs, take, type World } from "./counted-world.js";
import { killAtEveryAccess, killWhen } from "./interleave.js";

/** Where the first of two dead threads had got to. */
const FIRST_DEATHS: { readonly name: string; die(world: World): void }[] = [
  {
    name: "a free not counted",
    die(w) {
      const [handle] = take(w, w.c, 5, 64);
      killWhen(w.c, () => w.c.free(handle), slotIs(w, handle, SLOT_FREE));
    },
  },
  {
    name: "a remote free not told",
    die(w) {
      killWhen(w.c, () => freeUnseen(w.c, w.all[0]), slotIs(w, w.all[0], SLOT_REMOTE_FREED));
    },
  },
  {
    name: "a discard noted, nothing stored",
    die(w) {
      const note = w.c._a.seatBase + SEAT_COMMIT_RECORD;
      take(w, w.c, 9, 64);
      killWhen(
        w.c,
        () => w.c.discardEpoch(w.c.currentEpoch),
        () => w.b._a.m[note] > 0,
      );
    },
  },
  {
    name: "a discard noted, half stored",
    die(w) {
      const { m } = w.b._a;
      const note = w.c._a.seatBase;
      const record = recordAt(slabOf(w.c, take(w, w.c, 9, 64)[0]));
      const stored = (): boolean =>
        m[note + SEAT_COMMIT_RECORD] > 0 && m[record + SLAB_FOLDED] === m[note + SEAT_COMMIT_COUNTS];
      killWhen(w.c, () => w.c.discardEpoch(w.c.currentEpoch), stored);
    },
  },
  {
    name: "remote frees half taken back",
    die(w) {
      const handles = take(w, w.c, 9, 64);
      for (const handle of handles.slice(0, 5)) w.b.free(handle);
      killWhen(w.c, () => collect(w.c._a, true), slotIs(w, handles[3], SLOT_FREE));
    },
  },
  {
    name: "leaving, counts half folded",
    die(w) {
      const note = w.c._a.seatBase + SEAT_COMMIT_RECORD;
      w.c.free(take(w, w.c, 9, 64)[0]);
      killWhen(
        w.c,
        () => w.c.detach(),
        () => w.b._a.m[note] > 0,
      );
    },
  },
];

describe("a reaper killed at every access, reaped by another", () => {
  test.each(FIRST_DEATHS)("what it was reaping: $name", ({ die }) => {
    const accesses = killAtEveryAccess<World>({
      build() {
        const world = build({ name: "", least: 0 });
        const before = allCounters(world.b);
        die(world);
        world.before = highest(before, allCounters(world.b));
        return world;
      },
      act: ({ a, c }) => reapSeat(a._a, c.seat, c.incarnation),
      check: expectExact,
    });
    expect(accesses).toBeGreaterThan(180);
  });
});
