/** Everything that takes options or other loose arguments. */
import { EpochDomain } from "../../src/allocator/heap/domain.js";
import { SlabHeap } from "../../src/allocator/heap/heap.js";
import type { EpochId, Handle } from "../../src/allocator/types.js";
import {
  analyzeReclamation,
  analyzeSlowPath,
  detectEpochLeaks,
  doctor,
  health,
  parseJsonExact,
  percentileNs,
  readStats,
  type Sampling,
  type SiteSampler,
  StatsReader,
  sampleSites,
  snapshotDelta,
  startSampling,
  stringifyStats,
} from "../../src/stats.js";
import type { OptionWorld } from "./option-world.js";

export interface OptionTarget {
  readonly name: string;
  /** Calls with the hostile value; undoes what a call that works has done. */
  readonly call: (world: OptionWorld, value: never) => unknown;
  /** A right value, of which hostile ones are made too. */
  readonly near?: (world: OptionWorld) => Readonly<Record<string, unknown>>;
  /** What is near is an object as a whole: messages need not name the key that makes it wrong. */
  readonly whole?: true;
  /** Takes whole documents, which are changed somewhere inside. */
  readonly document?: true;
  /** When it works, the world is another. */
  readonly ends?: true;
  /** Does arithmetic before it looks at types: what no number can be made of is refused by the language. */
  readonly fast?: true;
}

const first = 0 as EpochId;
const releaser = { release: () => 0 };
const policy = { onClose: true, reserveBytes: 4096, decayMs: 1000 };
const detach = (heap: SlabHeap): void => heap.detach();
const stop = (sampling: Sampling | SiteSampler): void => sampling.stop();

function freed(heap: SlabHeap, handle: number): void {
  if (handle !== 0) heap.free(handle as Handle);
}

const HEAP: readonly OptionTarget[] = [
  {
    name: "SlabHeap.create",
    call: (_, v) => detach(SlabHeap.create(v)),
    near: () => ({
      capacity: 65_536,
      slabSize: 4096,
      sizeClasses: [64, 128],
      maxWorkers: 2,
      zeroOnFree: false,
      prefault: false,
      pageReleaser: releaser,
      releasePolicy: policy,
      buffer: new SharedArrayBuffer(1 << 20),
    }),
  },
  {
    name: "SlabHeap.attach: ref",
    call: (_, v) => detach(SlabHeap.attach(v, { sameThread: true })),
    near: ({ heap }) => ({ ...heap.share() }),
  },
  {
    name: "SlabHeap.attach: options",
    call: ({ heap }, v) => detach(SlabHeap.attach(heap.share(), v)),
    near: () => ({ sameThread: true, pageReleaser: releaser, releasePolicy: policy }),
  },
  {
    name: "releasePolicy",
    call: ({ heap }, v) => detach(SlabHeap.attach(heap.share(), { sameThread: true, releasePolicy: v })),
    near: () => ({ ...policy }),
  },
  {
    name: "pageReleaser",
    call: ({ heap }, v) => detach(SlabHeap.attach(heap.share(), { sameThread: true, pageReleaser: v })),
    near: () => ({ ...releaser, reuse: () => {}, pageBytes: 4096, enabled: true }),
  },
  { name: "trim", call: ({ heap }, v) => heap.trim(v), near: () => ({ keepBytes: 4096 }) },
  { name: "alloc", call: ({ heap }, v) => freed(heap, heap.alloc(v)), fast: true },
  { name: "alloc: epoch", call: ({ heap }, v) => freed(heap, heap.alloc(64, v)), fast: true },
  { name: "allocOrThrow", call: ({ heap }, v) => freed(heap, heap.allocOrThrow(v)), fast: true },
  { name: "allocOffset", call: ({ heap }, v) => heap.freeOffset(heap.allocOffset(v)), fast: true },
  { name: "EpochDomain.alloc", call: ({ heap, outer }, v) => freed(heap, outer.alloc(v)), fast: true },
  { name: "EpochDomain.current", call: (_, v) => EpochDomain.current(v) },
  {
    name: "closeEpoch",
    call: ({ heap }, v) => heap.closeEpoch(v),
    near: ({ empty }) => ({ ...empty }),
    ends: true,
  },
  {
    name: "discardEpoch",
    call: ({ heap }, v) => heap.discardEpoch(v),
    near: ({ empty }) => ({ ...empty }),
    ends: true,
  },
  {
    name: "discardBefore",
    call: ({ heap }, v) => heap.discardBefore(v),
    near: ({ empty }) => ({ ...empty }),
    ends: true,
  },
  { name: "epochInfo", call: ({ heap }, v) => heap.epochInfo(v) },
  { name: "setEpochLabel: id", call: ({ heap }, v) => heap.setEpochLabel(v, "x") },
  { name: "setEpochLabel: label", call: ({ heap }, v) => heap.setEpochLabel(first, v) },
  { name: "retainEpoch", call: ({ heap }, v) => heap.retainEpoch(v) },
  { name: "releaseEpoch", call: ({ heap }, v) => heap.releaseEpoch(v) },
  {
    name: "openDomain",
    call: ({ heap }, v) => heap.openDomain(v).exit(),
    near: ({ heap }) => ({ label: "x", epoch: heap.currentEpoch.id, autoClose: false, unordered: false }),
  },
  { name: "refcount", call: ({ heap }, v) => heap.refcount(v), near: ({ empty }) => ({ ...empty }) },
  { name: "handleAt", call: ({ heap }, v) => heap.handleAt(v) },
  { name: "viewAs", call: ({ heap, live }, v) => heap.viewAs(live.list()[0]?.handle as Handle, v) },
  { name: "reap: seat", call: ({ heap }, v) => heap.reap(v, 1) },
  { name: "reap: incarnation", call: ({ heap, other }, v) => heap.reap(other.seat, v) },
  {
    name: "watch",
    call: ({ heap }, v) => heap.watch(v),
    near: () => ({ threadId: 77, once: () => {}, terminate: () => {} }),
    whole: true,
  },
  {
    name: "watch: ref",
    call: ({ heap }, v) => heap.watch({ terminate: () => {} }, v),
    near: ({ heap }) => ({ ...heap.share() }),
    whole: true,
  },
];

const STATS: readonly OptionTarget[] = [
  { name: "startSampling: heap", call: (_, v) => stop(startSampling(v)) },
  {
    name: "startSampling: options",
    call: ({ heap }, v) => stop(startSampling(heap, v)),
    near: () => ({ allocInterval: 1024, slowPathInterval: 2, remoteFreeInterval: 2, cpuTime: false }),
  },
  { name: "sampleSites: heap", call: (_, v) => stop(sampleSites(v)) },
  {
    name: "sampleSites: options",
    call: ({ other }, v) => stop(sampleSites(other, v)),
    near: () => ({ bytesPerSample: 64, maxDepth: 3, seed: 1, wrappers: [() => 1] }),
  },
  {
    name: "SiteSampler.sites",
    call: ({ other }, v) => {
      const sampler = sampleSites(other, { bytesPerSample: 1 });
      try {
        freed(other, other.alloc(64));
        return sampler.sites(v);
      } finally {
        sampler.stop();
      }
    },
    near: () => ({ top: 3 }),
  },
  {
    name: "StatsReader.open",
    call: (_, v) => StatsReader.open(v).snapshot(),
    near: ({ heap }) => ({ ...heap.share() }),
    whole: true,
  },
  { name: "StatsReader.class", call: ({ reader }, v) => reader.class(v) },
  { name: "StatsReader.epoch: class", call: ({ reader }, v) => reader.epoch(v, 0) },
  { name: "StatsReader.epoch: id", call: ({ reader }, v) => reader.epoch(0, v) },
  { name: "readStats", call: (_, v) => readStats(v), document: true },
  { name: "parseJsonExact", call: (_, v) => parseJsonExact(v) },
  { name: "stringifyStats: indent", call: ({ document }, v) => stringifyStats(document, v) },
  { name: "snapshotDelta: before", call: ({ document }, v) => snapshotDelta(v, document) },
  { name: "snapshotDelta: after", call: ({ document }, v) => snapshotDelta(document, v) },
  { name: "doctor: source", call: (_, v) => doctor(v) },
  {
    name: "doctor: options",
    call: ({ reader }, v) => doctor(reader, v),
    near: ({ document }) => ({ thresholdSec: 1, previous: document }),
  },
  { name: "health: source", call: (_, v) => health(v) },
  {
    name: "health: thresholds",
    call: ({ reader }, v) => health(reader, v),
    near: () => ({ leakThresholdSec: 5, slowPathMinAllocations: 10 }),
  },
  { name: "detectEpochLeaks: source", call: (_, v) => detectEpochLeaks(v) },
  {
    name: "detectEpochLeaks: options",
    call: ({ reader }, v) => detectEpochLeaks(reader, v),
    near: () => ({ thresholdSec: 0, top: 3 }),
  },
  { name: "analyzeSlowPath", call: (_, v) => analyzeSlowPath(v) },
  { name: "analyzeReclamation", call: (_, v) => analyzeReclamation(v) },
  { name: "percentileNs: latency", call: (_, v) => percentileNs(v, 50) },
  { name: "percentileNs: percent", call: ({ document }, v) => percentileNs(document.latency.epoch_close, v) },
];

export const OPTION_TARGETS: readonly OptionTarget[] = [...HEAP, ...STATS];
