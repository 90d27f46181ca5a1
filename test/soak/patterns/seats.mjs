// Patterns about a thread's own seat: giving it back and taking another, two at once, sampling, refused reaping.
import { SlabHeap } from "temporal-slab";
import { sampleSites, startSampling } from "temporal-slab/stats";
import { unlessClosed } from "./epochs.mjs";
import { someSize } from "./objects.mjs";

/** Leaves without its kept objects: whoever adopts their slabs, they stay. The worker's loop attaches again. */
export function leave(c) {
  if (c.random.below(2) === 0) stopSampling(c);
  if (c.random.below(4) === 0) unlessClosed(() => c.heap.openDomain({ autoClose: c.random.below(2) === 0 }));
  c.heap.detach();
  c.heap = undefined;
  c.sampling = undefined;
  c.sites = undefined;
}

/** A second seat for a while: what one seat allocates the other frees. */
export function secondSeat(c) {
  const { heap, objects, random } = c;
  let second;
  try {
    second = SlabHeap.attach(c.ref, { sameThread: true });
  } catch (error) {
    if (error.code === "ERR_TSLAB_SEATS_EXHAUSTED") return;
    throw error;
  }
  c.row.add("attaches");
  const mine = [];
  for (let n = random.below(60); n > 0; n--) {
    const object = objects.alloc(random.below(2) === 0 ? heap : second, someSize(c));
    if (object !== undefined) mine.push(object);
  }
  for (const object of mine) {
    if (random.below(8) === 0) objects.keep(heap, object);
    else objects.free(random.below(2) === 0 ? heap : second, object);
  }
  second.detach();
}

export function sampling(c) {
  const { heap, random } = c;
  if (c.sampling === undefined && random.below(2) === 0) {
    c.sampling = startSampling(heap, {
      allocInterval: 1024,
      slowPathInterval: 1 + random.below(4),
      remoteFreeInterval: 1 + random.below(8),
    });
    c.row.add("samplings");
  } else if (c.sites === undefined) {
    c.sites = sampleSites(heap, {
      bytesPerSample: 2048 + random.below(65536),
      maxDepth: 8,
      seed: random.next(),
    });
    c.row.add("samplings");
  } else {
    const { taken, live, dropped } = c.sites.stats();
    if (taken !== live + dropped) c.objects.fail(`samples: ${taken} taken, ${live} live, ${dropped} dropped`);
    c.sites.sites({ top: 3 });
    stopSampling(c);
  }
}

function stopSampling(c) {
  c.sampling?.stop();
  c.sites?.stop();
  c.sampling = undefined;
  c.sites = undefined;
}

/** Reaping what is not dead: the own seat, a former holder of it, nobody. */
export function refusedReap(c) {
  const { heap } = c;
  const before = (heap.incarnation - 1) & 0xffff;
  const { status } = heap.reap(heap.seat, before);
  if (status !== "stale") c.objects.fail(`reap of a former incarnation answered "${status}"`);
  try {
    heap.reap(heap.seat, heap.incarnation);
    c.objects.fail("a thread reaped itself");
  } catch (error) {
    if (error.code !== "ERR_TSLAB_SEAT_ALIVE") throw error;
  }
}
