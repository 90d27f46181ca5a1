/**
 * Rows driven by tinybench: one loop of loops.mjs on one contender.
 *
 * A tinybench iteration is a batch of at least a millisecond, so that reading the clock is lost in
 * it. Contenders that make garbage get batches of 50 ms: several collections fall into each, and
 * the median over batches cannot step around them.
 */
import { Bench } from "tinybench";
import { checkHeap, contenders, storeFor } from "./contenders.mjs";
import { BATCH, CHURN_STEPS, churnOrder, loadTrace, MANY, mixedSizes, permutation } from "./inputs.mjs";
import * as loops from "./loops.mjs";

/** Per row: the loop, pairs (or events) per repetition, objects kept, and what else it needs. */
const patterns = {
  pair: { loop: loops.pairNumbers, objects: loops.pairObjects, ops: 1, live: 1 },
  "pair-int": { loop: loops.pairOffsets, alien: loops.pairNumbers, ops: 1, live: 1 },
  lifo: { loop: loops.lifo, ops: BATCH, live: BATCH },
  "lifo-int": { loop: loops.lifoOffsets, ops: BATCH, live: BATCH },
  fifo: { loop: loops.fifo, ops: BATCH, live: BATCH },
  random1k: { loop: loops.randomOrder, ops: BATCH, live: BATCH, input: () => permutation(BATCH) },
  random100k: { loop: loops.randomOrder, ops: MANY, live: MANY, input: () => permutation(MANY) },
  mixed: { loop: loops.mixed, ops: BATCH, live: BATCH, input: mixedSizes },
  churn: { loop: loops.churn, ops: CHURN_STEPS, live: MANY, input: churnOrder, before: loops.fill },
  field: { loop: loops.pairField, ops: 1, live: 1, wrap: (heap) => ({ heap }) },
  sites: { loop: loops.manySites, ops: 8, live: 8 },
  service: { loop: loops.serviceSites, ops: 8, live: 8, wrap: (heap) => new loops.Service(heap) },
  "two-heaps-pair": { loop: loops.pairNumbers, ops: 1, live: 1, heaps: 2 },
  "two-heaps-lifo": { loop: loops.lifo, ops: BATCH, live: BATCH, heaps: 2 },
};

function patternOf(job) {
  if (job.row !== "trace") return patterns[job.row];
  const { events, slots } = loadTrace(job.trace);
  return { loop: loops.replay, ops: events.length / 2, live: slots, input: () => events };
}

export async function run(job) {
  const contender = contenders[job.contender === "oneheap" ? "ours" : job.contender];
  const pattern = patternOf(job);
  const ours = contender === contenders.ours;
  const loop = (!contender.numbers && pattern.objects) || (!ours && pattern.alien) || pattern.loop;
  // One heap against two: the same calls from the same sites, on the same heap or on another.
  const heap = await contender.make();
  const second =
    job.contender === "oneheap" ? heap : pattern.heaps === 2 ? await contender.make() : undefined;
  const store = storeFor(contender, pattern.live);
  const input = pattern.input?.();
  pattern.before?.(heap, store);
  const subject = pattern.wrap ? pattern.wrap(heap) : heap;

  const batch =
    second === undefined
      ? (reps) => loop(subject, store, reps, input)
      : (reps) => [loop(subject, store, reps, input), loop(second, store, reps, input)];
  const reps = calibrate(batch, contender.garbage ? 50 : 2);
  const opsPerBatch = reps * pattern.ops * (second ? 2 : 1);

  const bench = new Bench({
    time: job.seconds * 1000,
    warmupTime: job.seconds * 200,
    iterations: 5,
    warmupIterations: 2,
    retainSamples: true,
    throws: true,
  });
  let last;
  bench.add(job.row, () => {
    last = batch(reps);
  });
  bench.runSync();
  const samples = bench.tasks[0].result.latency.samples.map((ms) => (ms * 1e6) / opsPerBatch);

  if (last === undefined) throw new Error("the loop returned nothing: was it left out?");
  if (contender.numbers && pattern.live > 1 && store.includes(0))
    throw new Error("an allocation failed during the run");
  if (ours) for (const each of second ? [heap, second] : [heap]) checkHeap(each);
  return { samples };
}

/**
 * Repetitions that fill one batch: doubled from one, best of three each, so that one interrupted or
 * not yet compiled try does not pass for a long batch.
 */
function calibrate(batch, milliseconds) {
  for (let reps = 1; ; reps *= 2) {
    let took = Infinity;
    for (let attempt = 0; attempt < 3 && took >= milliseconds; attempt++) {
      const from = performance.now();
      batch(reps);
      took = Math.min(took, performance.now() - from);
    }
    if (took >= milliseconds) return reps;
  }
}
