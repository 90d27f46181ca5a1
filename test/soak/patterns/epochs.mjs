// Patterns that open, close and discard epochs: requests, frames, batches, domains, references, labels.
import { FLOOR, LABELS, raiseFloor } from "../board.mjs";
import { someSize } from "./objects.mjs";

const FLOOR_EVERY_MS = 150;

/** Runs `body`; an epoch that closes at that moment is part of the game. */
export function unlessClosed(body) {
  try {
    return body();
  } catch (error) {
    if (error.code !== "ERR_TSLAB_EPOCH_CLOSED") throw error;
    return undefined;
  }
}

function label(c) {
  return c.random.below(3) === 0 ? "" : LABELS[c.random.below(LABELS.length)];
}

/** Allocates through a domain. */
function inDomain(c, domain, objects) {
  const before = c.heap.currentEpoch.era;
  const handle = domain.alloc(someSize(c));
  if (handle === 0) {
    c.row.add("refusals");
    return;
  }
  const object = c.objects.adopt(c.heap, handle, Math.min(before, domain.epoch.era));
  if (object === undefined) return;
  if (object.era !== domain.epoch.era)
    c.objects.fail(`a domain of era ${domain.epoch.era} allocated in ${object.era}`);
  objects.push(object);
}

/** A request: a domain that closes its epoch when the last one leaves, and objects that end with it or soon after. */
export function request(c) {
  const objects = [];
  const domain = unlessClosed(() => c.heap.openDomain({ label: label(c), autoClose: c.random.below(3) > 0 }));
  if (domain === undefined) return;
  c.row.add("domains");
  for (let n = c.random.below(60); n > 0; n--) inDomain(c, domain, objects);
  const first = c.random.below(2) === 0;
  if (first) domain.exit();
  for (const object of objects) {
    if (c.random.below(20) === 0) c.objects.keep(c.heap, object);
    else c.objects.free(c.heap, object);
  }
  if (!first) domain[Symbol.dispose]();
}

/** Domains in domains, several levels of each, left in order; out of order is refused. */
export function nested(c) {
  const { heap, random } = c;
  const objects = [];
  const open = [];
  for (let n = 1 + random.below(5); n > 0; n--) {
    const last = open[open.length - 1];
    const again = last !== undefined && random.below(3) === 0;
    const epoch = random.below(4) === 0 ? heap.currentEpoch.id : undefined;
    const domain = unlessClosed(() =>
      again ? last.enter() : heap.openDomain({ label: label(c), autoClose: random.below(2) === 0, epoch }),
    );
    if (domain === undefined) continue;
    open.push(domain);
    c.row.add("domains");
    for (let i = random.below(8); i > 0; i--) inDomain(c, domain, objects);
  }
  if (open.length > 1 && open[0] !== open[open.length - 1]) refuseOrder(c, open[0]);
  if (open.length > 0 && random.below(8) === 0) open[open.length - 1].forceClose();
  while (open.length > 0) open.pop().exit();
  c.objects.freeEach(heap, objects);
}

function refuseOrder(c, domain) {
  try {
    domain.exit();
  } catch (error) {
    if (error.code === "ERR_TSLAB_DOMAIN_ORDER") return;
    throw error;
  }
  c.objects.fail("a domain was left before the one inside it");
}

/** A frame: everything of its epoch is dropped at once. Era % 4 === 3 is everybody's to discard. */
export function frame(c) {
  const { heap, random } = c;
  let ref = heap.advanceEpoch();
  c.row.add("opened");
  for (let n = 0; n < 4 && ref.era % 4 !== 3; n++) {
    ref = heap.advanceEpoch();
    c.row.add("opened");
  }
  const objects = [];
  for (let n = random.below(150); n > 0; n--) {
    const object = c.objects.alloc(heap, someSize(c), random.below(2) === 0 ? ref.id : undefined);
    if (object === undefined) continue;
    if (object.era === ref.era) objects.push(object);
    else c.objects.keep(heap, object);
  }
  // Others moved the ring on four times: this era is not for discarding.
  if (ref.era % 4 !== 3) return c.objects.freeEach(heap, objects);
  for (const object of objects) if (random.below(10) === 0) c.objects.check(heap, object);
  heap.discardEpoch(ref);
  c.row.add("discarded");
  for (const { handle, era } of objects) {
    if (heap.isLive(handle) || heap.free(handle))
      c.objects.fail(`an object of era ${era} outlived its discard`);
  }
}

/** A batch: its epoch is closed, its objects live on until they are freed. */
export function batch(c) {
  const { heap, random } = c;
  const objects = [];
  for (let n = random.below(100); n > 0; n--) {
    const object = c.objects.alloc(heap, someSize(c));
    if (object !== undefined) objects.push(object);
  }
  const ref = heap.currentEpoch;
  const report = heap.closeEpoch(random.below(2) === 0 ? ref : ref.id);
  c.row.add("closed", report.applied ? 1 : 0);
  for (const object of objects) {
    if (random.below(10) === 0) c.objects.keep(heap, object);
    else c.objects.free(heap, object);
  }
}

/** Drops everything old at once: what dead threads held goes this way. */
export function dropOld(c) {
  const { heap, random, control, objects } = c;
  const era = Math.max(16, heap.currentEpoch.era - random.below(8));
  if (era <= control.get(FLOOR) || !raiseFloor(control, era, FLOOR_EVERY_MS)) return;
  heap.discardBefore({ id: era % 16, era });
  c.row.add("discarded");
  c.row.beat();
  objects.kept = objects.kept.filter((object) => {
    if (object.era >= era) return true;
    if (heap.isLive(object.handle))
      objects.fail(`an object of era ${object.era} outlived discardBefore(${era})`);
    return false;
  });
}

/** References from outside: each is given back, unless the thread dies in between. */
export function references(c) {
  const { heap, random } = c;
  const id = random.below(16);
  if (heap.retainEpoch(id) < 1) c.objects.fail(`retainEpoch(${id}) answered less than 1`);
  const object = c.objects.alloc(heap, someSize(c));
  if (object !== undefined) c.objects.keep(heap, object);
  heap.releaseEpoch(id);
}

/** Labels, and what there is to see. */
export function lookAround(c) {
  const { heap, random } = c;
  const id = random.below(16);
  heap.setEpochLabel(id, LABELS[random.below(LABELS.length)]);
  const info = heap.epochInfo(random.below(16));
  if (info.refcount < 0 || info.liveObjects < 0 || info.slabs < 0)
    c.objects.fail(`epochInfo: ${JSON.stringify(info)}`);
  const { committedSlabs } = heap.counters();
  if (committedSlabs < 0 || committedSlabs > heap.capacity / heap.slabSize) {
    c.objects.fail(`${committedSlabs} committed slabs`);
  }
  heap.poll();
}
