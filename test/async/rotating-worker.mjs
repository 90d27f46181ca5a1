// Serves requests on a shared heap under a rotator of its own: many at once, each with objects that it checks, until
// told to stop. Some hold their domain over many rotations.
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { workerData } from "node:worker_threads";
import { SlabHeap } from "temporal-slab";
import { EpochRotator, runInDomain } from "temporal-slab/async";
import { Control, CUSTOM, Random, READY, stamp, stampProblem } from "../threads/workers/shared.mjs";

/** Control words: requests served by all, domains opened and left, objects allocated, eras of the widest domain. */
const SERVED = CUSTOM;
const OPENED = CUSTOM + 1;
const LEFT = CUSTOM + 2;
const ALLOCATED = CUSTOM + 3;
/** From here on, by owner: requests under way. */
const UNDER_WAY = CUSTOM + 16;

const { owner, seed, concurrency, options } = workerData;
const control = new Control(workerData.control);
const random = new Random(seed);
const heap = SlabHeap.attach(workerData.ref);
const rotator = new EpochRotator(heap, options);
let serial = 0;

async function request(domain) {
  const objects = [];
  const look = (when) => {
    for (const { handle, bytes, mark } of objects) {
      if (!heap.isLive(handle)) throw new Error(`object ${owner}/${mark} is gone ${when}`);
      const problem = stampProblem(heap.i32, heap.byteOffset(handle), bytes, owner, mark);
      if (problem !== "") throw new Error(`${when}: ${problem}`);
      const { era } = heap.epochOf(handle);
      if (!domain.epochs.some((held) => held.era === era)) throw new Error(`era ${era} is not held ${when}`);
    }
    for (const epoch of domain.epochs) {
      if (heap.refcount(epoch) < 1) throw new Error(`era ${epoch.era} does not count its domain ${when}`);
    }
  };
  domain.defer(() => look("at the end"));
  const long = random.below(200) === 0;
  for (let step = long ? 60 : random.below(4); step >= 0; step--) {
    for (let n = random.below(4); n > 0; n--) {
      const bytes = 8 + 4 * random.below(random.below(20) === 0 ? 3000 : 120);
      const handle = domain.alloc(bytes);
      if (handle === 0) {
        if (heap.lastFailure !== "out-of-memory") throw new Error(`no memory: ${heap.lastFailure}`);
        return;
      }
      const mark = ++serial;
      stamp(heap.i32, heap.byteOffset(handle), bytes, owner, mark);
      objects.push({ handle, bytes, mark });
      control.add(ALLOCATED);
    }
    if (random.below(5) === 0) await sleep(random.below(3));
    else await turn();
    look("after an await");
    // Without "discard" objects are freed by hand.
    while (objects.length > 0 && (options.onLastExit !== "discard" || random.below(4) === 0)) {
      if (options.onLastExit !== "discard" && step > 0 && random.below(3) === 0) break;
      const { handle, mark } = objects.pop();
      if (!heap.free(handle)) throw new Error(`object ${owner}/${mark} cannot be freed`);
    }
  }
}

async function serve() {
  while (!control.stopped && control.failure() === "") {
    control.add(UNDER_WAY + owner);
    await runInDomain(heap, { rotator }, request);
    control.add(UNDER_WAY + owner, -1);
    control.add(SERVED);
  }
}

try {
  control.add(READY);
  await Promise.all(Array.from({ length: concurrency }, serve));
  rotator.stop();
  const stats = rotator.stats();
  control.add(OPENED, stats.domainsOpened);
  control.add(LEFT, stats.domainsLeft);
  heap.detach();
} catch (error) {
  control.fail(`worker ${owner}: ${error?.stack ?? error}`);
}
