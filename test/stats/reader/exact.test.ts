/**
 * Defends: whatever one to three seats do, every figure of the stats document that follows from the operations is exactly
 * that figure, after every single operation; the document keeps its own identities; as JSON it validates against the
 * schema and reads back as it was.
 * Method: random scripts (fast-check, so that failures shrink) on a real heap and on an independent count of operations,
 * slab tags and slot words; seats detach, die and are reaped, rings wrap, a page releaser succeeds and fails in turn;
 * the clock stands still between commands, so that ages are exact too.
 */
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { isSpecialised } from "../../../src/allocator/heap/shape.js";
import { type HeapSnapshot, readStats, statsSchema, stringifyStats } from "../../../src/stats/index.js";
import { testSeed } from "../../model/seed.js";
import { script, soloCommands } from "./commands.js";
import { differences } from "./expected.js";
import { World } from "./world.js";

const SCRIPTS = 200;

const validate = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true }).compile(statsSchema());

beforeEach(() => {
  // The clock that a thread waits by after a refused page release, too.
  vi.useFakeTimers({ toFake: ["Date", "performance"], now: 1_790_000_000_123 });
});
afterEach(() => {
  vi.useRealTimers();
});

function check(world: World, when: string): HeapSnapshot {
  const document = world.reader.snapshot();
  const found = differences(world, document);
  if (found.length > 0) throw new Error(`${when}:\n${found.slice(0, 12).join("\n")}`);
  return document;
}

function checkText(document: HeapSnapshot): void {
  const text = stringifyStats(document);
  expect(readStats(text)).toEqual(document);
  expect(readStats(stringifyStats(document, 2))).toEqual(document);
  validate(JSON.parse(text));
  expect(validate.errors ?? []).toEqual([]);
}

describe("the document against an independent count", () => {
  // First in this file: only the first heap of a thread runs the specialised fast path.
  test("one long script on the specialised fast path", { timeout: 60_000 }, () => {
    const seed = testSeed("stats, specialised");
    const [commands] = fc.sample(soloCommands, { seed, numRuns: 1 });
    const world = new World({ capacity: 128 * 1024, slabSize: 4096, sizeClasses: [16, 64, 256, 1024] }, true);
    expect(isSpecialised(world.first)).toBe(true);
    commands.forEach((command, i) => {
      world.run(command);
      check(world, `after command ${i} (${JSON.stringify(command)})`);
    });
    expect(isSpecialised(world.first)).toBe(true);
    expect(world.classes.reduce((sum, tally) => sum + tally.allocs, 0)).toBeGreaterThan(100);
    checkText(check(world, "at the end"));
    world.dispose();
  });

  test(`${SCRIPTS} random scripts`, { timeout: 120_000 }, () => {
    const seed = testSeed("stats, scripts");
    const reached = {
      remote: 0,
      discarded: 0,
      large: 0,
      outOfMemory: 0,
      reaps: 0,
      older: 0,
      orphans: 0,
      released: 0,
      refused: 0,
      warm: 0,
      closesThatRelease: 0,
      cooperation: 0,
      closes: 0,
    };
    fc.assert(
      fc.property(script, ({ options, seats, releasing, commands }) => {
        vi.setSystemTime(1_790_000_000_123);
        const world = new World(options, releasing);
        try {
          for (let i = 1; i < seats; i++) world.attach();
          commands.forEach((command, i) => {
            world.run(command);
            const document = check(world, `after command ${i} (${JSON.stringify(command)})`);
            reached.older += document.epochs.some((epoch) => epoch.older_live_objects) ? 1 : 0;
            reached.warm += document.heap.warm_slabs > 0 ? 1 : 0;
            reached.closesThatRelease += document.epochs.some((epoch) => epoch.close_madvise_bytes) ? 1 : 0;
            reached.cooperation += document.epochs.some((epoch) => epoch.cooperation_pct !== null) ? 1 : 0;
            reached.orphans += document.heap.orphaned_slabs > 0 ? 1 : 0;
          });
          world.rest();
          check(world, "at rest");
          const report = world.first.verify();
          const document = check(world, "after verify");
          checkText(document);
          expect(document.heap.live_objects).toBe(world.oracle.liveCount);
          expect(document.heap.committed_bytes).toBe(report.slabs * world.first.slabSize);
          expect(report.problems).toEqual([]);
          for (const tally of world.classes) {
            reached.remote += tally.remoteFrees;
            reached.discarded += tally.discarded;
            reached.outOfMemory += tally.outOfMemory;
          }
          const { total } = world.pages;
          reached.released += total.bytes;
          reached.refused += total.failures;
          reached.large += world.classes[world.classes.length - 1].allocs;
          reached.reaps += world.reaps;
          reached.closes += world.closes.size;
        } finally {
          world.dispose();
        }
      }),
      { seed, numRuns: SCRIPTS, endOnFailure: false },
    );
    console.log(`stats scripts: ${JSON.stringify(reached)}`);
    // The scripts must reach what they are meant to reach.
    for (const [what, times] of Object.entries(reached)) expect(times, what).toBeGreaterThan(10);
  });
});
