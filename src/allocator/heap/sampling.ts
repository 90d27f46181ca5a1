/**
 * Measuring some operations of a thread into the histograms of its seat.
 *
 * Nothing on the fast path knows of this: every 1024th allocation of a slab leaves it anyway, and slow paths look
 * whether their thread samples at all. Which operations are measured depends on counts alone, so the same run measures
 * the same ones.
 */
import {
  HISTOGRAM_ALLOC,
  HISTOGRAM_REMOTE_FREE,
  HISTOGRAM_SLOW_PATH,
  SAMPLE_INTERVAL,
  SAMPLE_MASK,
} from "../counters/fields.js";
import { histogramAt, recordDuration } from "../counters/histogram.js";
import { HeapDetachedError, InvalidTypeError, InvalidValueError } from "../errors.js";
import type { Attachment, Sampler } from "../memory/attachment.js";
import { recordAt } from "../memory/layout.js";
import { SLAB_COUNTS } from "../memory/offsets.js";
import { threadCpuNs } from "../memory/process.js";
import { describe } from "../memory/size-classes.js";
import { freeRemote } from "../slabs/remote-free.js";
import { allocSlow } from "./alloc.js";
import { checkHeap } from "./check.js";
import type { SlabHeap } from "./heap.js";

/** Which operations are measured; counts are of one thread's operations. */
export interface SamplingOptions {
  /** One of so many allocations of a slab: a multiple of 1024 up to 2^20. Default 1024. */
  readonly allocInterval?: number;
  /** One of so many allocations that leave the fast path, 1..2^20. Default 16. */
  readonly slowPathInterval?: number;
  /** One of so many frees of other threads' objects, 1..2^20. Default 1024. */
  readonly remoteFreeInterval?: number;
  /**
   * Take the thread's processor time too, so that waiting can be told from working. Costs some microseconds per sample;
   * only Node 23.9 and later can tell. Default false.
   */
  readonly cpuTime?: boolean;
}

/** Sampling of one thread, until stopped. */
export interface Sampling extends Disposable {
  /** False where cpuTime was asked for but the runtime cannot tell. */
  readonly measuresCpuTime: boolean;
  /** Ends it; what was recorded stays. Idempotent. */
  stop(): void;
}

const MAX_INTERVAL = 2 ** 20;

/**
 * Begins to measure some of this thread's allocations, slow paths and remote frees into the heap's latency histograms
 * (closes of epochs are always measured). Sampling that is on already is replaced. A thread that never samples pays
 * nothing for it; with the defaults a sampled thread pays less than a hundredth of a pair.
 *
 * Throws {@link InvalidValueError} or {@link InvalidTypeError} for a bad option, {@link InvalidTypeError} for what is no
 * SlabHeap, {@link HeapDetachedError}.
 *
 * @example
 * ```ts
 * using sampling = startSampling(heap);
 * serve(heap);
 * const { latency } = StatsReader.open(heap).snapshot();
 * ```
 */
export function startSampling(heap: SlabHeap, options: SamplingOptions = {}): Sampling {
  if (typeof options !== "object" || options === null) {
    throw new InvalidTypeError(`startSampling: options must be an object; got ${describe(options)}.`);
  }
  const a = checkHeap("startSampling", heap);
  if (a.detached)
    throw new HeapDetachedError("startSampling: this SlabHeap gave its seat back; attach again.");
  const { cpuTime = false } = options;
  if (typeof cpuTime !== "boolean") {
    throw new InvalidTypeError(`Option "cpuTime" must be true or false; got ${describe(cpuTime)}.`);
  }
  const allocTicks =
    interval("allocInterval", options.allocInterval, SAMPLE_INTERVAL, SAMPLE_INTERVAL) / SAMPLE_INTERVAL;
  const slowInterval = interval("slowPathInterval", options.slowPathInterval, 16, 1);
  const remoteFreeInterval = interval("remoteFreeInterval", options.remoteFreeInterval, 1024, 1);
  const sampler: Sampler = {
    allocTicks,
    allocTicksLeft: allocTicks,
    slowInterval,
    slowLeft: slowInterval,
    remoteFreeInterval,
    remoteFreeLeft: remoteFreeInterval,
    cpuNs: cpuTime ? threadCpuNs : () => -1,
  };
  a.sampler = sampler;
  const stop = (): void => {
    if (a.sampler === sampler) a.sampler = undefined;
  };
  return { measuresCpuTime: sampler.cpuNs() >= 0, stop, [Symbol.dispose]: stop };
}

function interval(name: string, value: unknown, fallback: number, unit: number): number {
  const range =
    unit === 1 ? `from 1 to ${MAX_INTERVAL}` : `that is a multiple of ${unit} up to ${MAX_INTERVAL}`;
  if (value === undefined) return fallback;
  if (typeof value !== "number") {
    throw new InvalidTypeError(`Option "${name}" must be a number ${range}; got ${describe(value)}.`);
  }
  if (!Number.isInteger(value) || value < unit || value > MAX_INTERVAL || value % unit !== 0) {
    throw new InvalidValueError(`Option "${name}" must be a whole number ${range}; got ${value}.`);
  }
  return value;
}

/** {@link allocSlow}, measured if it is its turn. */
export function allocMaybeTimed(a: Attachment, size: unknown, epoch: unknown): number {
  const { sampler } = a;
  return sampler === undefined ? allocSlow(a, size, epoch) : allocTimed(a, sampler, size, epoch);
}

/** Whether a sample is due shows afterwards: the time is taken in any case, and kept if one is. */
function allocTimed(a: Attachment, sampler: Sampler, size: unknown, epoch: unknown): number {
  const hitsBefore = a.slowHits;
  const cpuStart = sampler.cpuNs();
  const start = performance.now();
  const slotWord = allocSlow(a, size, epoch);
  const wallNs = (performance.now() - start) * 1e6;
  if (a.detached) return slotWord;
  const slow = a.slowHits !== hitsBefore && --sampler.slowLeft <= 0;
  const tick = slotWord !== 0 && isTick(a, slotWord) && --sampler.allocTicksLeft <= 0;
  if (!slow && !tick) return slotWord;
  const cpuNs = cpuSince(sampler, cpuStart);
  if (slow) {
    sampler.slowLeft = sampler.slowInterval;
    recordDuration(a.m, histogramAt(a.layout, a.seat, HISTOGRAM_SLOW_PATH), wallNs, cpuNs);
  }
  if (tick) {
    sampler.allocTicksLeft = sampler.allocTicks;
    recordDuration(a.m, histogramAt(a.layout, a.seat, HISTOGRAM_ALLOC), wallNs, cpuNs);
  }
  return slotWord;
}

/** Was this the allocation that the fast path hands out of line because of its number? */
function isTick(a: Attachment, slotWord: number): boolean {
  const record = recordAt((slotWord - a.layout.slotBase) >> a.layout.slotsShift);
  return ((a.m[record + SLAB_COUNTS] as number) & SAMPLE_MASK) === 0;
}

/** {@link freeRemote}, measured if it is its turn. */
export function freeRemoteMaybeTimed(a: Attachment, slab: number, slotWord: number, word: number): boolean {
  const { sampler } = a;
  if (sampler === undefined || --sampler.remoteFreeLeft > 0) return freeRemote(a, slab, slotWord, word);
  sampler.remoteFreeLeft = sampler.remoteFreeInterval;
  const cpuStart = sampler.cpuNs();
  const start = performance.now();
  const freed = freeRemote(a, slab, slotWord, word);
  const wallNs = (performance.now() - start) * 1e6;
  const cpuNs = cpuSince(sampler, cpuStart);
  recordDuration(a.m, histogramAt(a.layout, a.seat, HISTOGRAM_REMOTE_FREE), wallNs, cpuNs);
  return freed;
}

function cpuSince(sampler: Sampler, start: number): number {
  return start < 0 ? -1 : sampler.cpuNs() - start;
}
