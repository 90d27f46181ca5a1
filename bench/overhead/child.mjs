/**
 * Two builds of the heap in one process, in turns: `node child.mjs '{"libs":[a,b],"pattern":…,"seconds":…}'`.
 *
 * Each build has its own copy of the loops, so that neither shares compiled code with the other. A turn takes some
 * milliseconds; the order alternates. What disturbs the machine disturbs both alike. Prints JSON: ns per operation of
 * every turn, per build.
 */
import { writeSync } from "node:fs";
import { BATCH, loadTrace, mixedSizes } from "../inputs.mjs";
import { checkCounted } from "./compiled-out.mjs";

const TURN_MS = 5;
const { libs, pattern, seconds, trace } = JSON.parse(process.argv[2]);

const PATTERNS = {
  pair: { loop: "pairNumbers", ops: 1, live: 1 },
  lifo: { loop: "lifo", ops: BATCH, live: BATCH },
  mixed: { loop: "mixed", ops: BATCH, live: BATCH, input: mixedSizes },
  trace: { loop: "replay" },
};

const sides = [];
for (const [index, { file, telemetry, sampling }] of libs.entries()) {
  const { SlabHeap, startSampling } = await import(file);
  const loops = await import(`../loops.mjs?side=${index}`);
  const heap = SlabHeap.create({ capacity: 256 << 20 });
  if (sampling) startSampling(heap);
  const { loop, ops, live, input } = patternFor(pattern);
  sides.push({ heap, telemetry, ops, run: loops[loop], store: new Float64Array(live), input, samples: [] });
}

for (const side of sides) side.reps = calibrate(side);
const until = performance.now() + seconds * 1000;
for (let turn = 0; performance.now() < until; turn++) {
  for (const side of turn % 2 ? sides.toReversed() : sides) {
    const from = performance.now();
    side.run(side.heap, side.store, side.reps, side.input);
    side.samples.push(((performance.now() - from) * 1e6) / (side.reps * side.ops));
  }
}
for (const { heap, telemetry } of sides) {
  heap.closeEpoch(heap.currentEpoch);
  const { problems } = heap.verify();
  if (problems.length > 0) throw new Error(`verify() after the run: ${problems[0]}`);
  checkCounted(heap, telemetry);
}
writeSync(1, `${JSON.stringify(sides.map(({ samples }) => samples))}\n`);
process.exit(0);

function patternFor(name) {
  if (name !== "trace") {
    const { input, ...rest } = PATTERNS[name];
    return { ...rest, input: input?.() };
  }
  const { events, slots } = loadTrace(trace);
  return { ...PATTERNS.trace, ops: events.length / 2, live: slots, input: events };
}

function calibrate({ run, heap, store, input }) {
  for (let reps = 1; ; reps *= 2) {
    let took = Infinity;
    for (let attempt = 0; attempt < 3; attempt++) {
      const from = performance.now();
      run(heap, store, reps, input);
      took = Math.min(took, performance.now() - from);
    }
    if (took >= TURN_MS) return reps;
  }
}
