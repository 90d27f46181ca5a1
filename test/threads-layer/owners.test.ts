/**
 * Defends: an owner word has one holder; only that holder gives it back, only from a gone holder is it taken, and whoever
 * judges a holder gone judges by a list of seats that is newer than the word.
 * Method: random sequences of everything threads can do against a model in plain objects; single steps that meet in the
 * worst order; real seats of a real heap. Every order of single accesses: the explorer's owner-word scenarios.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SeatInfo, SeatState } from "../../src/allocator/types.js";
import {
  isGone,
  OwnerWords,
  ownerIncarnation,
  ownerSeat,
  ownerWord,
  UNOWNED,
} from "../../src/threads/index.js";
import { another, smallHeap } from "../allocator/support.js";
import { testSeed } from "../model/seed.js";

const words = (count: number): Int32Array => new Int32Array(new SharedArrayBuffer(4 * (count + 2)));
const seatInfo = (seat: number, incarnation: number, state: SeatState): SeatInfo => ({
  seat,
  incarnation,
  state,
  threadId: -1,
});

describe("the word", () => {
  test("keeps seat and incarnation apart, and is never 0", () => {
    for (const seat of [1, 2, 128, 255]) {
      for (const incarnation of [0, 1, 0x7fff, 0x8000, 0xffff]) {
        const word = ownerWord({ seat, incarnation });
        expect(word).not.toBe(UNOWNED);
        expect([ownerSeat(word), ownerIncarnation(word)]).toEqual([seat, incarnation]);
      }
    }
  });

  test.each<[SeatState, boolean]>([
    ["LIVE", false],
    ["SUSPECT", false],
    ["REAPING", true],
    ["FREE", true],
  ])("a holder whose seat is %s is gone: %s", (state, gone) => {
    const word = ownerWord({ seat: 3, incarnation: 7 });
    expect(isGone(word, [seatInfo(2, 7, "LIVE"), seatInfo(3, 7, state)])).toBe(gone);
    expect(isGone(word, [seatInfo(3, 8, state)]), "the incarnation has moved on").toBe(true);
    expect(isGone(UNOWNED, [seatInfo(3, 7, state)])).toBe(false);
    expect(isGone(word, [])).toBe(true);
  });
});

describe("one step at a time", () => {
  const me = { seat: 1, incarnation: 5 };
  const other = { seat: 2, incarnation: 9 };

  test("claim goes round from its hint and ends with -1", () => {
    const own = new OwnerWords(words(3), 1, 3, me);
    expect([own.claim(1), own.claim(1), own.claim(1), own.claim(1)]).toEqual([1, 2, 0, -1]);
    expect(own.release(2)).toBe(true);
    expect(own.claim()).toBe(2);
  });

  test("words beside its own are never touched", () => {
    const m = words(2);
    m[0] = 77;
    m[3] = 78;
    const own = new OwnerWords(m, 1, 2, me);
    own.claim();
    own.claim();
    own.claim();
    own.freeDead({ seats: () => [] });
    expect([m[0], m[3]]).toEqual([77, 78]);
  });

  test("only the owner releases, once; a transfer needs the owner it names", () => {
    const m = words(1);
    const [mine, theirs] = [new OwnerWords(m, 0, 1, me), new OwnerWords(m, 0, 1, other)];
    expect(mine.claim()).toBe(0);
    expect(theirs.release(0)).toBe(false);
    expect(theirs.transfer(0, UNOWNED)).toBe(false);
    expect(theirs.transfer(0, theirs.me)).toBe(false);
    expect(mine.ownerOf(0)).toBe(mine.me);
    expect(theirs.transfer(0, mine.me)).toBe(true);
    expect(mine.release(0)).toBe(false);
    expect(theirs.release(0)).toBe(true);
    expect(theirs.release(0)).toBe(false);
    expect(theirs.transfer(0, UNOWNED)).toBe(false);
  });

  test("the seats are asked for after the words were read", () => {
    // A thread that attaches and claims between the two must be in the list it is judged by.
    const m = words(1);
    let now: SeatInfo[] = [seatInfo(2, 8, "FREE")];
    new OwnerWords(m, 0, 1, { seat: 2, incarnation: 8 }).claim();
    const source = {
      seats() {
        const before = now;
        now = [seatInfo(2, 9, "LIVE")];
        // As a thread would in between: the dead one's word is freed, the newcomer takes the thing.
        m[0] = ownerWord(other);
        return before;
      },
    };
    const mine = new OwnerWords(m, 0, 1, me);
    expect(mine.takeFromDead(source), "judged by the old value, taken only from it").toBe(-1);
    expect(mine.takeFromDead(source)).toBe(-1);
    expect(mine.ownerOf(0)).toBe(ownerWord(other));
  });

  test("nobody's and my own things ask for no seats and are left alone", () => {
    const own = new OwnerWords(words(2), 0, 2, me);
    own.claim();
    const source = {
      seats(): never {
        throw new Error("asked");
      },
    };
    expect(own.takeFromDead(source)).toBe(-1);
    expect(own.freeDead(source)).toBe(0);
  });
});

test("real seats: what a detached or reaped thread held is taken over, what a living one holds is not", () => {
  const heap = smallHeap();
  const [second, third] = [another(heap), another(heap)];
  const m = words(3);
  const [a, b, c] = [heap, second, third].map((seat) => new OwnerWords(m, 0, 3, seat)) as [
    OwnerWords,
    OwnerWords,
    OwnerWords,
  ];
  expect([a.claim(), b.claim(), c.claim()]).toEqual([0, 1, 2]);
  expect(a.takeFromDead(heap)).toBe(-1);
  second.detach();
  expect(a.takeFromDead(heap, 2)).toBe(-1);
  expect(a.takeFromDead(heap)).toBe(1);
  expect(a.takeFromDead(heap)).toBe(-1);
  third.detach();
  expect(another(heap).seat, "the seat has its next holder").toBe(second.seat);
  expect(a.freeDead(heap)).toBe(1);
  expect(a.claim()).toBe(2);
});

interface Sitter {
  incarnation: number;
  taken: boolean;
}

/** What threads and the model do; numbers are reduced to what exists. */
type Step = readonly [
  "claim" | "release" | "transfer" | "takeFromDead" | "freeDead" | "end" | "attach",
  number,
  number,
];

test("random steps against a model", () => {
  const kinds = ["claim", "release", "transfer", "takeFromDead", "freeDead", "end", "attach"] as const;
  const step: fc.Arbitrary<Step> = fc.tuple(fc.constantFrom(...kinds), fc.nat(), fc.nat());
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 1, max: 6 }), (steps, count) => {
      const m = words(count);
      const sitters: Sitter[] = [1, 2, 3].map(() => ({ incarnation: 0xfffe, taken: true }));
      const model: ({ seat: number; incarnation: number } | undefined)[] = Array(count).fill(undefined);
      const own = sitters.map((s, i) => new OwnerWords(m, 0, count, { seat: i + 1, ...s }));
      const source = {
        seats: () => sitters.map((s, i) => seatInfo(i + 1, s.incarnation, s.taken ? "LIVE" : "FREE")),
      };
      const isDead = (held: (typeof model)[number]): boolean => {
        if (held === undefined) return false;
        const { incarnation, taken } = sitters[held.seat - 1] as Sitter;
        return !taken || incarnation !== held.incarnation;
      };
      const packed = (held: (typeof model)[number]): number =>
        held === undefined ? UNOWNED : ownerWord(held);
      for (const [kind, x, y] of steps) {
        const who = x % 3;
        const sitter = sitters[who] as Sitter;
        const mine = own[who] as OwnerWords;
        const me = { seat: who + 1, incarnation: sitter.incarnation };
        const index = y % count;
        if (kind === "end") sitter.taken = false;
        if (kind === "attach" && !sitter.taken) {
          sitter.taken = true;
          sitter.incarnation = (sitter.incarnation + 1) & 0xffff || 1;
          own[who] = new OwnerWords(m, 0, count, { seat: who + 1, incarnation: sitter.incarnation });
        }
        if (!sitter.taken) continue;
        if (kind === "claim") {
          const order = model.map((_, i) => (index + i) % count);
          const wanted = order.find((i) => model[i] === undefined) ?? -1;
          expect(mine.claim(index)).toBe(wanted);
          if (wanted >= 0) model[wanted] = me;
        } else if (kind === "release") {
          const holds = packed(model[index]) === mine.me;
          expect(mine.release(index)).toBe(holds);
          if (holds) model[index] = undefined;
        } else if (kind === "transfer") {
          const from = packed(model[index]);
          expect(mine.transfer(index, from)).toBe(from !== UNOWNED);
          if (from !== UNOWNED) model[index] = me;
        } else if (kind === "takeFromDead") {
          const wanted = model.findIndex((held, i) => i >= index && isDead(held));
          expect(mine.takeFromDead(source, index)).toBe(wanted);
          if (wanted >= 0) model[wanted] = me;
        } else if (kind === "freeDead") {
          const dead = model.filter(isDead).length;
          expect(mine.freeDead(source)).toBe(dead);
          model.forEach((held, i) => {
            if (isDead(held)) model[i] = undefined;
          });
        }
        expect(Array.from(m.subarray(0, count))).toEqual(model.map(packed));
      }
    }),
    { numRuns: 300, seed: testSeed("owner words") },
  );
});
