// Patterns that allocate and free. Each is one short piece of work of a thread: `c` has the heap, the thread's objects,
// its random numbers and its row. What a pattern allocates it frees, keeps or hands on before it returns.
const FORGED = [0, 1, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -(2 ** 40)];

export function someSize(c) {
  const { random, heap } = c;
  if (random.below(40) === 0) return 1 + random.below(heap.slabSize * 2);
  return 1 + random.below(random.below(4) === 0 ? 1024 : 160);
}

function some(c, most) {
  const objects = [];
  const size = someSize(c);
  const mixed = c.random.below(2) === 0;
  for (let n = 1 + c.random.below(most); n > 0; n--) {
    const object = c.objects.alloc(c.heap, mixed ? someSize(c) : Math.min(size, 2048));
    if (object !== undefined) objects.push(object);
  }
  return objects;
}

export function pairs(c) {
  const size = 1 + c.random.below(200);
  for (let n = c.random.below(200); n > 0; n--) {
    const object = c.objects.alloc(c.heap, size);
    if (object !== undefined) c.objects.free(c.heap, object);
  }
}

export function lifo(c) {
  c.objects.freeEach(c.heap, some(c, 200).reverse());
}

export function fifo(c) {
  c.objects.freeEach(c.heap, some(c, 200));
}

export function mixed(c) {
  const { objects, random } = c;
  for (let n = random.below(150); n > 0; n--) {
    if (objects.kept.length === 0 || random.below(2) === 0) {
      objects.keep(
        c.heap,
        objects.alloc(c.heap, someSize(c), random.below(8) === 0 ? c.heap.currentEpoch.id : undefined),
      );
    } else objects.free(c.heap, objects.takeAny());
  }
}

export function look(c) {
  const { kept } = c.objects;
  for (let n = Math.min(40, kept.length); n > 0; n--) {
    const i = c.random.below(kept.length);
    if (!c.objects.check(c.heap, kept[i])) {
      kept[i] = kept[kept.length - 1];
      kept.pop();
      if (kept.length === 0) return;
    }
  }
}

export function large(c) {
  const { heap, random } = c;
  const slabs = Math.max(2, Math.floor(heap.capacity / heap.slabSize / 6));
  const objects = [];
  for (let n = 1 + random.below(5); n > 0; n--) {
    const object = c.objects.alloc(heap, heap.slabSize * (1 + random.below(slabs)) - random.below(64));
    if (object !== undefined) objects.push(object);
    c.row.beat();
  }
  if (random.below(4) === 0) c.objects.keep(heap, objects.pop());
  c.objects.freeEach(heap, objects);
}

/** Takes what is left of the memory, and gives all of it back. */
export function fill(c) {
  const { heap, random } = c;
  const objects = [];
  const size = random.below(3) === 0 ? heap.slabSize : 64 + random.below(2000);
  for (let n = 0; n < 3000; n++) {
    if ((n & 63) === 0) c.row.beat();
    if (random.below(2) === 0) {
      const object = c.objects.alloc(heap, size);
      if (object !== undefined) objects.push(object);
      else if (heap.lastFailure === "out-of-memory") break;
      continue;
    }
    try {
      const before = heap.currentEpoch.era;
      const object = c.objects.adopt(heap, heap.allocOrThrow(size), before);
      if (object !== undefined) objects.push(object);
    } catch (error) {
      if (error.code === "ERR_TSLAB_OUT_OF_MEMORY") break;
      if (error.code !== "ERR_TSLAB_EPOCH_CLOSED") throw error;
    }
  }
  c.row.add("fills");
  if (random.below(2) === 0) objects.reverse();
  c.objects.freeEach(heap, objects);
}

/** What names nothing must be refused, whatever lives in that place now. */
export function staleFrees(c) {
  const { heap, random, objects } = c;
  for (const handle of objects.stale) {
    if (heap.free(handle)) objects.fail(`stale handle ${handle} was freed`);
    if (heap.isLive(handle)) objects.fail(`stale handle ${handle} is live`);
    c.row.add("operations");
  }
  const forged = FORGED[random.below(FORGED.length)];
  if (heap.free(forged) || heap.isLive(forged)) objects.fail(`forged handle ${forged} was accepted`);
}
