/**
 * Defends: every thread makes a releaser of its own and releases its part of one buffer while others do; threads that are
 * terminated in the middle harm neither the others nor the process.
 * Method: real workers on neighbouring ranges that share pages at their ends; kills at random moments.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { Random, testSeed } from "../model/seed.js";

const PROGRAM = new URL("./workers/releasing-worker.mjs", import.meta.url);
const THREADS = 4;
/** Not whole pages: neighbours meet in the middle of one, which neither may release. */
const PART = 100_001;
const GUARD = 0xee;

function start(rounds: number) {
  const buffer = new SharedArrayBuffer(PART * THREADS + 2000);
  const bytes = new Uint8Array(buffer).fill(GUARD);
  const board = new SharedArrayBuffer(4 * THREADS);
  const workers = Array.from(
    { length: THREADS },
    (_, index) =>
      new Worker(PROGRAM, {
        workerData: { buffer, board, index, from: 1000 + index * PART, length: PART, rounds },
      }),
  );
  const guards = (): boolean =>
    bytes.subarray(0, 1000).every((byte) => byte === GUARD) &&
    bytes.subarray(1000 + THREADS * PART).every((byte) => byte === GUARD);
  return { workers, counts: new Int32Array(board), guards };
}

describe.skipIf(process.platform !== "linux")("on Linux", () => {
  test("threads release side by side", async () => {
    const { workers, counts, guards } = start(200);
    const answers = await Promise.all(workers.map(async (worker) => (await once(worker, "message"))[0]));
    for (const { backend, reason } of answers) {
      expect(backend).toBe("none");
      expect(reason).toContain("koffi is not loaded in a worker thread unasked");
    }
    expect([...counts]).toEqual([200, 200, 200, 200]);
    expect(guards()).toBe(true);
  });

  test("threads that are terminated leave the rest at work", async () => {
    const random = new Random(testSeed("terminated"));
    for (let i = 0; i < 8; i++) {
      const { workers, counts, guards } = start(1e9);
      const failures: unknown[] = [];
      for (const worker of workers) worker.on("error", (error) => failures.push(error));
      const [first, ...others] = workers as [Worker, ...Worker[]];
      // Not before all have koffi: see docs/reclaim.md.
      for (let index = 1; index < THREADS; index++) await reached(counts, index, 1);
      await reached(counts, 0, 1 + random.below(20));
      await Promise.all(others.map((worker) => worker.terminate()));
      await reached(counts, 0, Atomics.load(counts, 0) + 5);
      await first.terminate();
      expect(failures).toEqual([]);
      expect(guards()).toBe(true);
    }
  });
});

/** Waits until a thread has done so many rounds. */
async function reached(counts: Int32Array, index: number, rounds: number): Promise<void> {
  for (let now = Atomics.load(counts, index); now < rounds; now = Atomics.load(counts, index)) {
    const { value } = Atomics.waitAsync(counts, index, now, 20_000);
    if ((await value) === "timed-out") throw new Error(`stuck at round ${now}`);
  }
}
