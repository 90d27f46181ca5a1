/** Requests with an epoch each: what a reserve of warm slabs saves in calls, time and page faults, and what it holds. */
import { onCpuNs } from "../../looks.mjs";
import { median } from "../../stats.mjs";
import { burstSizes, check, empty, fill, MIB } from "../bursts.mjs";
import { autoPageReleaser, SlabHeap } from "../lib.mjs";
import { heapCounter, metered } from "../memory.mjs";

/** As in the workload `kernel`. */
const OBJECT_BYTES = 256;

/** Each of `reserves` is a number of bytes, or null for a heap without a releaser; they take turns of `turnMs`. */
export async function run({ reserves, requestBytes, capacityMib, turnMs, turns }) {
  const sizes = burstSizes("1k", requestBytes * (1024 / OBJECT_BYTES)).fill(OBJECT_BYTES);
  const contenders = [];
  for (const reserve of reserves) contenders.push(await contender(reserve, sizes.length, capacityMib));
  const samples = contenders.map(() => []);
  // The first turn warms up.
  for (let turn = -1; turn < turns; turn++) {
    const order = [...contenders.keys()];
    for (const i of turn % 2 ? order.toReversed() : order) {
      const sample = serve(contenders[i], sizes, turnMs);
      if (turn >= 0) samples[i].push(sample);
    }
  }
  return contenders.map(({ reserve, heap, resident }, i) => {
    const mid = (pick) => median(samples[i].map(pick));
    const payload = resident.payload();
    check(heap);
    heap.detach();
    return {
      reserve,
      usPerRequest: mid((s) => s.us),
      cpuUsPerRequest: mid((s) => s.cpuUs),
      callsPerRequest: mid((s) => s.calls),
      releasedPerRequest: mid((s) => s.bytes),
      callsPerSecond: mid((s) => (s.calls * 1e6) / s.us),
      payload,
      samples: samples[i].map((s) => s.us),
    };
  });
}

async function contender(reserve, objects, capacityMib) {
  const { meter, releaser } = metered(autoPageReleaser());
  const policy = { pageReleaser: releaser, releasePolicy: { reserveBytes: reserve ?? 0 } };
  const heap = SlabHeap.create({ capacity: capacityMib * MIB, ...(reserve === null ? {} : policy) });
  const resident = await heapCounter(heap);
  return { reserve, heap, resident, meter, offsets: new Float64Array(objects).fill(1) };
}

function serve({ heap, meter, offsets }, sizes, turnMs) {
  const { calls, bytes } = meter;
  const from = performance.now();
  const cpuFrom = onCpuNs();
  let requests = 0;
  let ms = 0;
  for (; ms < turnMs; requests++) {
    fill(heap, sizes, offsets);
    empty(heap, offsets);
    heap.closeEpoch(heap.currentEpoch);
    ms = performance.now() - from;
  }
  return {
    us: (ms * 1000) / requests,
    cpuUs: (onCpuNs() - cpuFrom) / 1000 / requests,
    calls: (meter.calls - calls) / requests,
    bytes: (meter.bytes - bytes) / requests,
  };
}
