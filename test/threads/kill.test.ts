/**
 * Defends: a thread may vanish at any instruction. After its seat was reaped nothing it owned is lost for good,
 * nothing live of any other thread is damaged or missing, and in the end the whole capacity is there again.
 * Method: workers that do everything a thread can do are terminated at random instants (300 kills in all, also
 * while starting, attaching, detaching), while the main thread and a surviving worker keep and check stamped
 * objects and trade them with the doomed ones. `watch` reaps. Between kills the heap is verified while all rest.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type HeapOptions, SlabHeap } from "temporal-slab";
import { createPageReleaser } from "temporal-slab/reclaim";
import { StatsReader } from "temporal-slab/stats";
import { describe, expect, test } from "vitest";
import { testSeed } from "../model/seed.js";
import {
  emptyOut,
  expectExactCounts,
  foreignSeats,
  problemsOf,
  startWorker,
  stopAll,
  until,
  whileResting,
} from "./crew.js";
import { Keeper } from "./workers/keeper.mjs";
import { Control, CUSTOM, DROP, Mailbox, newControl, newMailbox, Random, READY } from "./workers/shared.mjs";

const KIB = 1024;
const KILLS = 100;
const MAILBOX_CELLS = 64;
/** Batches between two times that everybody lets go of everything and the heap must be empty after a discard. */
const AMNESTY_EVERY = 6;

interface Setup {
  readonly options: HeapOptions;
  readonly most: number;
  readonly largest: number;
  /** Every thread gives pages back, as often as it can: contents that vanish with them are found like any damage. */
  readonly releases?: boolean;
}

const SETUPS: [string, Setup][] = [
  [
    "many small slabs",
    {
      options: { capacity: 8192 * KIB, slabSize: 4 * KIB, sizeClasses: [16, 64, 256, 1024] },
      most: 800,
      largest: 9_000,
    },
  ],
  [
    "few slabs, always full, zeroOnFree",
    {
      options: {
        capacity: 1024 * KIB,
        slabSize: 8 * KIB,
        sizeClasses: [32, 96, 520, 2048],
        zeroOnFree: true,
      },
      most: 1500,
      largest: 20_000,
    },
  ],
  [
    "pages given back by everybody",
    {
      options: { capacity: 4096 * KIB, slabSize: 8 * KIB, sizeClasses: [64, 512, 2048] },
      most: 1000,
      largest: 30_000,
      releases: true,
    },
  ],
];

describe("random terminate()", () => {
  test.each(SETUPS)(
    `${KILLS} kills: %s`,
    { timeout: 300_000 },
    async (name, { options, most, largest, releases = false }) => {
      const random = new Random(testSeed(`kill, ${name}`));
      const pageReleaser = createPageReleaser(releases ? "koffi" : "none");
      const release = releases ? { pageReleaser, releasePolicy: { reserveBytes: 0 } } : {};
      const heap = SlabHeap.create({ ...options, ...release, maxWorkers: 6 });
      const control = new Control(newControl());
      const mailbox = newMailbox(MAILBOX_CELLS);
      const common = {
        control: control.words.buffer as SharedArrayBuffer,
        mailbox,
        most,
        largest,
        zeroed: options.zeroOnFree === true,
        releases,
        breather: 1,
      };
      const spawn = (file: string, owner: number) =>
        startWorker(file, control, { ...common, ref: heap.share(), owner, seed: random.next() });
      const mine = new Keeper({
        ...common,
        control,
        mailbox: new Mailbox(mailbox),
        owner: 1,
        seed: random.next(),
      });
      const survivor = spawn("steady", 2);
      heap.watch(survivor);
      await until("the survivor", () => control.get(READY) === 1 || control.failure() !== "");

      let kills = 0;
      for (let batch = 1; kills < KILLS; batch++) {
        const crowd = Math.min(KILLS - kills, 1 + random.below(3));
        const deaths = Array.from({ length: crowd }, async (_, i) => {
          const worker = spawn("chaos", 100 + kills + i);
          heap.watch(worker);
          // Loading koffi may not be cut short (docs/reclaim.md): these workers die at work only.
          const stage = releases ? 2 + random.below(4) : random.below(6);
          if (stage > 0) {
            // 0: while it starts; 1: while it attaches; others: at work.
            const wanted = stage === 1 ? "starting" : "busy";
            await new Promise<void>((resolve) => {
              worker.on("message", (message) => message === wanted && resolve());
              worker.once("exit", () => resolve());
            });
          }
          await sleep(random.below(stage === 0 || stage === 5 ? 60 : 15));
          for (let spin = random.below(20_000); spin > 0; spin--) control.get(READY);
          await worker.terminate();
        });
        let dying = true;
        const dead = Promise.all(deaths).finally(() => {
          dying = false;
        });
        while (dying) {
          for (let i = 0; i < 20; i++) mine.step(heap);
          await sleep(1);
        }
        await dead;
        kills += crowd;
        await until("the dead to be reaped", () => foreignSeats(heap).length === 1);
        expect(control.failure()).toBe("");

        await whileResting(control, 1, () => {
          mine.checkAll(heap);
          expect(problemsOf(heap)).toBe("");
          expectExactCounts(heap);
        });
        if (batch % AMNESTY_EVERY === 0) await amnesty(heap, control, mine, mailbox);
        expect(control.failure()).toBe("");
      }

      await stopAll(control, [survivor]);
      mine.checkAll(heap);
      mine.freeAll(heap);
      await until("the survivor's seat", () => foreignSeats(heap).length === 0);
      expect(emptyOut(heap)).toEqual([]);
      expect(control.failure()).toBe("");
      if (releases) {
        heap.trim();
        const { total_madvise_calls, total_madvise_failures, heap: now } = StatsReader.open(heap).snapshot();
        expect(Number(total_madvise_calls)).toBeGreaterThan(KILLS);
        expect([Number(total_madvise_failures), Number(now?.warm_slabs)]).toEqual([0, 0]);
      }
      const { allocCount, remoteFrees, adoptedSlabs, epochCloses, outOfMemory } = heap.counters();
      console.log(
        `${name}: ${JSON.stringify({ kills, steps: control.get(CUSTOM), allocCount, remoteFrees, adoptedSlabs, epochCloses, outOfMemory })}`,
      );
      // That it happened at all; how often depends on what else the machine does.
      for (const count of [remoteFrees, adoptedSlabs, epochCloses]) expect(count).toBeGreaterThan(0);
      heap.detach();
    },
  );
});

/**
 * The living let go of all they have; what is left belongs to the dead and goes with a discard. The second rest
 * gives the survivor the chance to notice the discard: it may have adopted slabs of the dead.
 */
async function amnesty(
  heap: SlabHeap,
  control: Control,
  mine: Keeper,
  mailbox: SharedArrayBuffer,
): Promise<void> {
  const cells = new Mailbox(mailbox);
  for (const round of [1, 2]) {
    control.add(DROP);
    await whileResting(control, 1, () => {
      mine.freeAll(heap);
      for (let cell = 0; cell < MAILBOX_CELLS; cell++) {
        const handle = cells.swap(cell, 0);
        if (handle !== 0) mine.release(heap, handle);
      }
      if (round === 1) {
        heap.discardBefore(heap.currentEpoch);
        heap.discardEpoch(heap.currentEpoch);
      }
      const report = heap.verify();
      expect(report.problems.join("\n")).toBe("");
      expectExactCounts(heap);
      if (round === 2) expect(report.liveObjects).toBe(0);
    });
  }
}
