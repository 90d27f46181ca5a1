/**
 * Bursts with pauses: a while of bursts at intervals, then nothing. What each policy holds meanwhile, what it costs, and how
 * soon memory goes back.
 */
import { setTimeout } from "node:timers/promises";
import { onCpuNs } from "../../looks.mjs";
import { median } from "../../stats.mjs";
import { burstSizes, check, empty, fill, MIB } from "../bursts.mjs";
import { autoPageReleaser, SlabHeap } from "../lib.mjs";
import { heapCounter, metered } from "../memory.mjs";

const LOOK_MS = 100;

export async function run({ policy, mib, capacityMib, everyMs, activeMs, pauseMs }) {
  const { meter, releaser } = metered(autoPageReleaser());
  const heap = SlabHeap.create({
    capacity: capacityMib * MIB,
    ...(policy === null ? {} : { pageReleaser: releaser, releasePolicy: policy }),
  });
  const sizes = burstSizes("1k", mib * MIB);
  const offsets = new Float64Array(sizes.length).fill(1);
  const resident = await heapCounter(heap);
  const burst = () => {
    fill(heap, sizes, offsets);
    empty(heap, offsets);
    heap.closeEpoch(heap.currentEpoch);
  };
  for (let i = 0; i < 5; i++) burst();
  const { calls, bytes } = meter;
  const burstMs = [];
  const held = { active: [], pause: [] };
  const start = performance.now();
  for (let next = start; performance.now() < start + activeMs; ) {
    const from = performance.now();
    burst();
    burstMs.push(performance.now() - from);
    next += everyMs;
    while (performance.now() < next) {
      await setTimeout(Math.min(LOOK_MS, Math.max(1, next - performance.now())));
      held.active.push(resident.payload());
    }
  }
  const seconds = (performance.now() - start) / 1000;
  const active = { calls: meter.calls - calls, bytes: meter.bytes - bytes };
  const pausedAt = performance.now();
  let emptyAfterMs = null;
  let cpuNs = 0;
  while (performance.now() < pausedAt + pauseMs) {
    // Only what the heap's own timer spends: counting pages costs far more.
    const cpuFrom = onCpuNs();
    await setTimeout(LOOK_MS);
    cpuNs += onCpuNs() - cpuFrom;
    held.pause.push(resident.payload());
    if (emptyAfterMs === null && held.pause.at(-1) < MIB) emptyAfterMs = performance.now() - pausedAt;
  }
  check(heap);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    burstMs: median(burstMs),
    callsPerSecond: active.calls / seconds,
    mibPerSecond: active.bytes / MIB / seconds,
    heldActive: mean(held.active),
    heldAtEnd: held.pause.at(-1),
    emptyAfterMs,
    idleCpuShare: cpuNs / 1e6 / pauseMs,
    pause: held.pause,
  };
}
