/**
 * Bounded part of `buffer-case.ts`: every metadata word of a small heap damaged in two ways, and random damage to heaps in
 * other states. The long one is `npm run fuzz -- --kind buffers`.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { BIN_CURRENT } from "../../src/allocator/counters/fields.js";
import {
  binAt,
  PHASE,
  recordAt,
  SEAT_ERA,
  SLAB_COUNTS,
  SLAB_HEAD,
  SLAB_TAG,
  seatAt,
  slabOfRecord,
} from "../../src/allocator/memory/layout.js";
import { testSeed } from "../model/seed.js";
import { BRIEF, type Damage, DamageTarget } from "./buffer-case.js";
import { superviseDamage } from "./buffer-watchdog.js";
import { bundleFuzz } from "./bundle.js";
import { damageText } from "./fuzz-run.js";
import { freeze, STATE_NAMES } from "./heap-states.js";
import { Violation } from "./outcome.js";

let bundle = "";
beforeAll(async () => {
  bundle = await bundleFuzz("tests");
});

/** Violations as text, with how to see each again. */
function collector() {
  const found: string[] = [];
  const onFinding: Parameters<typeof superviseDamage>[0]["onFinding"] = (finding, state) => {
    const { kind, region, message, damage } = finding;
    found.push(`${kind} in ${region}: ${message} | ${damageText(state, damage)}`);
  };
  return { found, onFinding };
}

test("every word of a small heap, two values each", { timeout: 300_000 }, async () => {
  const { found, onFinding } = collector();
  const target = new DamageTarget(freeze("small"));
  const plan = { kind: "sweep", seed: 1, perWord: 2 } as const;
  const tally = await superviseDamage({ bundle, state: "small", plan, onFinding });
  expect(found).toEqual([]);
  expect(tally).toMatchObject({ cases: 2 * target.regions.length, violations: 0 });
  expect(tally.refused).toBeGreaterThan(10);
  expect(tally.reported).toBeGreaterThan(5000);
  expect(tally.harmless).toBeGreaterThan(10_000);
});

test("random words of heaps in every state", { timeout: 300_000 }, async () => {
  const { found, onFinding } = collector();
  const seed = testSeed("damaged buffers");
  for (const state of STATE_NAMES) {
    const plan = { kind: "roam", seed, perWord: 1 } as const;
    const tally = await superviseDamage({ bundle, state, plan, cases: 250, onFinding });
    expect(tally.cases).toBe(250);
  }
  expect(found).toEqual([]);
});

describe("canaries", () => {
  /** A checker that overlooks everything must not go unnoticed. */
  function blind(): DamageTarget {
    return new DamageTarget(freeze("small"), () => ({ ok: true, problems: [], liveObjects: 0, slabs: 0 }));
  }
  const words = ({ frozen: { words: m, layout } }: DamageTarget) => {
    const liveFrom = (from: number) => m.findIndex((word, i) => i >= from && (word & 3) === 1);
    const current = m[binAt(layout, 1, 1) + BIN_CURRENT];
    return {
      m,
      layout,
      seat: seatAt(layout, 1),
      liveSlot: liveFrom(layout.slotBase),
      current,
      slotOfCurrent: liveFrom(layout.slotBase + (slabOfRecord(current) << layout.slotsShift)),
    };
  };
  const damage = (word: number, value: number): Damage => ({ word, value, attach: false, script: 0 });

  test.each<[string, (w: ReturnType<typeof words>) => Damage]>([
    ["an object's slot is free", ({ m, liveSlot }) => damage(liveSlot, m[liveSlot] - 1)],
    ["a slab with objects is FREE", () => damage(recordAt(0) + SLAB_TAG, 0)],
    ["a free list leads into an object", (w) => damage(w.current + SLAB_HEAD, w.slotOfCurrent)],
    [
      "a live count is too low",
      ({ m }) => damage(recordAt(0) + SLAB_COUNTS, m[recordAt(0) + SLAB_COUNTS] - 1),
    ],
  ])("a verify that reports nothing: %s", (_name, pick) => {
    const target = blind();
    expect(() => target.run(pick(words(target)))).toThrow(Violation);
    // And the real one reports it.
    const real = new DamageTarget(freeze("small"));
    expect(["reported", "known"]).toContain(real.run(pick(words(real))));
  });

  test("words that say nothing about objects are harmless", () => {
    const target = new DamageTarget(freeze("small"));
    const { m, seat, layout } = words(target);
    const histogram = seat + layout.seatHistograms + 20;
    expect(target.run({ ...damage(histogram, 77), script: BRIEF })).toBe("harmless");
    expect(target.run({ ...damage(histogram, -1), attach: true })).toBe("harmless");
    expect(target.run(damage(PHASE, m[PHASE] + 1))).toBe("harmless");
    expect(m[seat + SEAT_ERA]).toBe(17);
  });

  test("a call that never returns is ended and named", async () => {
    const { found, onFinding } = collector();
    const plan = { kind: "roam", seed: 1, perWord: 1 } as const;
    const tally = await superviseDamage({
      bundle,
      state: "small",
      plan,
      cases: 1,
      hang: true,
      stallMs: 1500,
      onFinding,
    });
    expect(tally).toMatchObject({ cases: 1, violations: 1 });
    expect(found).toEqual([
      expect.stringMatching(/^hang in .*: did not return from: .* --state small --damage=/),
    ]);
  });
});
