// One thread of a pool test. workerData: { ref, pool, task, control, limit, seed, steps }.
import { parentPort, workerData } from "node:worker_threads";
import { SlabHeap } from "temporal-slab";
import { BufferPool, PoolExhaustedError } from "temporal-slab/pool";
import { Control, CUSTOM, Random } from "../../threads/workers/shared.mjs";

const control = new Control(workerData.control);
const { limit, steps } = workerData;
const random = new Random(workerData.seed);
const heap = SlabHeap.attach(workerData.ref);
const pool = BufferPool.attach(heap, workerData.pool, { label: `worker ${workerData.seed}` });

const LIVE = CUSTOM;
const DONE = CUSTOM + 1;
const MOST = CUSTOM + 2;

const byteOf = (serial, i) => (Math.imul(serial, 0x9e3779b1) + i * 7) & 0xff;

function enter(buffer, serial) {
  // Counted after acquiring and before releasing: never more than there really are.
  const live = control.add(LIVE);
  if (live > limit) control.fail(`${live} buffers live, the limit is ${limit}`);
  for (let most = control.get(MOST); live > most; most = control.get(MOST))
    Atomics.compareExchange(control.words, MOST, most, live);
  buffer.bytes.forEach((_, i, bytes) => {
    bytes[i] = byteOf(serial, i);
  });
}

function leave(buffer, serial) {
  if (!buffer.bytes.every((byte, i) => byte === byteOf(serial, i)))
    control.fail(`buffer ${serial} is damaged`);
  control.add(LIVE, -1);
  if (!buffer.release()) control.fail(`buffer ${serial} was gone`);
}

async function acquireSomehow(size) {
  if (random.below(2) === 0) return pool.acquireAsync(size);
  if (random.below(2) === 0) return pool.tryAcquire(size);
  try {
    return pool.acquire(size);
  } catch (error) {
    if (!(error instanceof PoolExhaustedError)) throw error;
    return undefined;
  }
}

const tasks = {
  /** Acquires, keeps for a while and releases, several at a time. */
  async share() {
    for (let step = 0; step < steps; step++) {
      const crowd = Array.from({ length: 1 + random.below(4) }, async (_, i) => {
        const serial = (step * 4 + i) * 256 + workerData.seed;
        const buffer = await acquireSomehow(1 + random.below(3000));
        if (buffer === undefined) return;
        enter(buffer, serial);
        if (random.below(3) === 0) await new Promise((resolve) => setImmediate(resolve));
        leave(buffer, serial);
        control.add(DONE);
      });
      await Promise.all(crowd);
    }
    const { inUse, acquired, released, waiting } = pool.stats();
    if (inUse !== 0 || waiting !== 0 || acquired !== released) control.fail(JSON.stringify(pool.stats()));
  },

  /** Takes turns with the main thread: waits for a buffer, says when it has it, gives it back when told to. */
  async turns() {
    const told = () => new Promise((resolve) => parentPort.once("message", resolve));
    for (let step = 0; step < steps; step++) {
      const buffer = pool.acquireAsync(100);
      const release = told();
      parentPort.postMessage(`waiting: ${pool.stats().waiting}`);
      const mine = await buffer;
      parentPort.postMessage("mine");
      await release;
      // Between threads there is no order: whoever asks again at once may be faster than the one that is woken.
      const again = told();
      mine.release();
      await again;
    }
  },

  /** Takes everything there is and never gives it back; or works until it is killed. */
  async hoard() {
    const held = [];
    for (let buffer = pool.tryAcquire(64); buffer !== undefined; buffer = pool.tryAcquire(64))
      held.push(buffer);
    held.at(-1)?.detach();
    parentPort.postMessage(held.length);
    await new Promise((resolve) => setTimeout(resolve, 10 ** 8));
  },
  async churn() {
    parentPort.postMessage("busy");
    for (;;) {
      const held = [];
      for (let i = random.below(limit); i >= 0; i--) {
        const buffer = pool.tryAcquire(1 + random.below(500));
        if (buffer !== undefined) held.push(buffer);
      }
      for (const buffer of held) {
        if (random.below(8) === 0) pool.adopt(buffer.detach()).release();
        else buffer.release();
      }
      if (random.below(50) === 0) (await pool.acquireAsync(64)).release();
    }
  },

  /** Adopts what comes, checks it, answers in the same buffer. */
  async answer() {
    await new Promise((resolve) => {
      parentPort.on("message", ({ ref, serial }) => {
        if (ref === undefined) {
          resolve();
          parentPort.close();
          return;
        }
        const buffer = pool.adopt(ref);
        if (!buffer.bytes.every((byte, i) => byte === byteOf(serial, i)))
          control.fail(`message ${serial} is damaged`);
        buffer.bytes.forEach((_, i, bytes) => {
          bytes[i] = byteOf(serial + 1, i);
        });
        parentPort.postMessage({ ref: buffer.detach(), serial: serial + 1 });
      });
    });
    if (pool.stats().inUse !== 0) control.fail(JSON.stringify(pool.stats()));
  },
};

try {
  await tasks[workerData.task]();
  pool.dispose();
  heap.detach();
} catch (error) {
  control.fail(`${workerData.task}: ${error?.stack ?? error}`);
}
