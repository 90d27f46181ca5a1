/** Which call sites the live objects of a heap come from, found by sampling. */

import { InvalidTypeError } from "../../allocator/errors.js";
import { EpochDomain, interceptAllocs, SlabHeap, slotAtOffset } from "../../allocator/index.js";
import {
  type AfterAlloc,
  type AllocHook,
  type AllocKind,
  Attachment,
} from "../../allocator/memory/attachment.js";
import { integerOption, MAX_CAPACITY } from "../../allocator/memory/options.js";
import { randomFrom } from "../../allocator/memory/random.js";
import { describe } from "../../allocator/memory/size-classes.js";
import { handleSlot } from "../../allocator/words/handle.js";
import { buildProfile, type SamplingHeapProfile, type Site, weight } from "./profile.js";
import { LiveSamples } from "./samples.js";
import { type AnyFunction, captureStack } from "./stack.js";
import type { StackFrame } from "./stack-text.js";

/** Options of {@link sampleSites}. */
export interface SiteOptions {
  /** One object is sampled per so many bytes on average, 1..4 GiB; default 512 KiB. 1 samples nearly every object. */
  bytesPerSample?: number;
  /** Callers kept per sample, innermost first, 1..1000; default 64. */
  maxDepth?: number;
  /** Makes the choice of objects repeatable: 0..2^32 - 1. Default random. */
  seed?: number;
  /**
   * Functions through which your code allocates, innermost first: the site is what called them. Needs a runtime with
   * structured stack traces (V8). The functions of `SlabHeap` and `EpochDomain` are left out likewise.
   */
  wrappers?: readonly AnyFunction[];
}

/** A place that allocated objects which are still alive. */
export interface SiteReport {
  /** The callers, innermost first; empty where the runtime tells nothing. Lines and columns count from 1. */
  readonly frames: readonly StackFrame[];
  /** Estimate of the bytes asked for by the live objects from here. */
  readonly liveBytes: number;
  /** Estimate of how many live objects there are. */
  readonly liveObjects: number;
  /** How many of them were sampled: with few, the estimates are rough (standard error about 1 / sqrt(samples)). */
  readonly samples: number;
}

/** What a sampler has done. `taken` is `live` + `dropped`. */
export interface SiteSamplerStats {
  /** Objects sampled since the start. */
  readonly taken: number;
  /** Those that are alive now. */
  readonly live: number;
  /** Those forgotten: their object ended, or the stack was exhausted when it was to be read. */
  readonly dropped: number;
}

const DEFAULT_BYTES_PER_SAMPLE = 512 * 1024;
const DEFAULT_MAX_DEPTH = 64;
const DEFAULT_TOP = 20;
const OPTIONS = ["bytesPerSample", "maxDepth", "seed", "wrappers"];
const TWO_32 = 2 ** 32;

/** How this package itself calls `alloc`. */
const OWN_WRAPPERS: readonly AnyFunction[] = [SlabHeap.prototype.allocOrThrow, EpochDomain.prototype.alloc];

/**
 * Samples the allocations of one heap object, that is of one thread, until stopped. Made by {@link sampleSites}.
 *
 * Every byte has the same chance of being picked, and an object is sampled when one of its bytes is, as in V8's own
 * sampling heap profiler; estimates are corrected for large objects being likelier. Only objects that are
 * alive when asked are reported: freed by whichever thread, or discarded with their epoch, they are gone.
 * Sizes are the bytes asked for, not those of the size class.
 */
export class SiteSampler implements Disposable {
  /** Bytes per sample on average. */
  readonly bytesPerSample: number;
  private readonly maxDepth: number;
  private readonly wrappers: readonly AnyFunction[];
  private readonly a: Attachment;
  private readonly samples: LiveSamples;
  private readonly random: () => number;
  private readonly end: () => void;
  private left: number;
  private taken = 0;

  /** @internal */
  constructor(heap: SlabHeap, options: SiteOptions) {
    this.bytesPerSample = integerOption(
      "bytesPerSample",
      options.bytesPerSample,
      DEFAULT_BYTES_PER_SAMPLE,
      1,
      MAX_CAPACITY,
    );
    this.maxDepth = integerOption("maxDepth", options.maxDepth, DEFAULT_MAX_DEPTH, 1, 1000);
    const anySeed = Math.floor(Math.random() * TWO_32);
    this.random = randomFrom(integerOption("seed", options.seed, anySeed, 0, TWO_32 - 1));
    this.wrappers = [...OWN_WRAPPERS, ...checkWrappers(options.wrappers)];
    // Not the heap itself: a heap that its user forgets must not live on because it is sampled.
    this.a = heap._a;
    this.samples = new LiveSamples(heap._a);
    this.left = this.interval();
    const afterAlloc: AfterAlloc = (kind, value, size, hook) => {
      this.left -= size;
      if (this.left < 0) this.take(kind, value, size, hook);
    };
    this.end = interceptAllocs(heap, afterAlloc);
  }

  /**
   * The live objects by call site, as the contents of a `.heapprofile` file: write it with `JSON.stringify` and load
   * it in the Memory panel of Chrome DevTools. Each node is a line that calls; sizes are estimates in bytes.
   */
  profile(): SamplingHeapProfile {
    return buildProfile(this.samples.live(), this.bytesPerSample);
  }

  /**
   * The sites with most live bytes, most first; 20 of them unless `top` says otherwise. Calls from different callers,
   * up to `maxDepth` levels up, are different sites. Throws {@link InvalidTypeError} or {@link InvalidValueError}.
   */
  sites(options: { top?: number } = {}): SiteReport[] {
    checkOptions("sites", options, ["top"]);
    const top = integerOption("top", options.top, DEFAULT_TOP, 1, TWO_32);
    const bySite = new Map<Site, { liveBytes: number; liveObjects: number; samples: number }>();
    for (const { site, size } of this.samples.live()) {
      const sum = bySite.get(site) ?? { liveBytes: 0, liveObjects: 0, samples: 0 };
      const objects = weight(size, this.bytesPerSample);
      sum.liveBytes += size * objects;
      sum.liveObjects += objects;
      sum.samples++;
      bySite.set(site, sum);
    }
    return [...bySite]
      .sort(([, x], [, y]) => y.liveBytes - x.liveBytes)
      .slice(0, top)
      .map(([{ frames }, { liveBytes, liveObjects, samples }]) => {
        return { frames, liveBytes: Math.round(liveBytes), liveObjects: Math.round(liveObjects), samples };
      });
  }

  /** How many samples were taken and what became of them. */
  stats(): SiteSamplerStats {
    const live = this.samples.live().length;
    return { taken: this.taken, live, dropped: this.taken - live };
  }

  /**
   * Stops sampling; the heap allocates as if it had never been sampled. What was sampled can still be asked for, and
   * still loses the objects that end. Does nothing when called again, or once the heap is detached.
   */
  stop(): void {
    this.end();
  }

  /** Same as {@link stop}. */
  [Symbol.dispose](): void {
    this.stop();
  }

  /** Bytes until the next one that is picked: those gaps of a Poisson process, so that it may start anew after any object. */
  private interval(): number {
    return -Math.log(1 - this.random()) * this.bytesPerSample;
  }

  private take(kind: AllocKind, value: number, size: number, hook: AllocHook): void {
    this.taken++;
    this.left = this.interval();
    const { a } = this;
    const at = kind === "handle" ? a.layout.slotBase + handleSlot(value) : slotAtOffset(a, value);
    try {
      this.samples.add(at, size, captureStack(hook, this.wrappers, this.maxDepth), this.taken);
    } catch {
      // No stack left to read the stack with. The object exists: its handle must reach the caller.
    }
  }
}

/**
 * Starts sampling where the objects that `heap` allocates come from. Off until called, and then without cost to any
 * other thread; one sampler per heap object at a time ({@link AlreadySampledError}). Stop it when done: it ends
 * by itself only with the heap. Throws {@link InvalidTypeError} or {@link InvalidValueError} that name the
 * option, the value and the allowed range, {@link HeapDetachedError} on a detached heap.
 *
 * @example
 * ```ts
 * import { writeFileSync } from "node:fs";
 *
 * const sampler = sampleSites(heap);
 * await runForAWhile();
 * writeFileSync("leak.heapprofile", JSON.stringify(sampler.profile())); // DevTools, Memory, Load profile
 * for (const { frames, liveBytes } of sampler.sites({ top: 5 })) {
 *   console.log(liveBytes, frames[0]?.functionName, `${frames[0]?.url}:${frames[0]?.line}`);
 * }
 * sampler.stop();
 * ```
 */
export function sampleSites(heap: SlabHeap, options: SiteOptions = {}): SiteSampler {
  // The second half: an object may have the prototype of a SlabHeap and nothing behind it.
  if (!(heap instanceof SlabHeap && heap._a instanceof Attachment)) {
    throw new InvalidTypeError(`sampleSites: heap must be a SlabHeap; got ${describe(heap)}.`);
  }
  checkOptions("sampleSites", options, OPTIONS);
  heap.assertAttached("sampleSites");
  return new SiteSampler(heap, options);
}

function checkOptions(method: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== "object" || options === null) {
    throw new InvalidTypeError(`${method}: options must be an object; got ${describe(options)}.`);
  }
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    throw new InvalidTypeError(
      `${method}: unknown option ${JSON.stringify(key)}; known are ${known.join(", ")}.`,
    );
  }
}

function checkWrappers(wrappers: unknown): readonly AnyFunction[] {
  if (wrappers === undefined) return [];
  const bad = Array.isArray(wrappers) ? wrappers.find((f) => typeof f !== "function") : wrappers;
  if (!Array.isArray(wrappers) || wrappers.some((f) => typeof f !== "function")) {
    throw new InvalidTypeError(`Option "wrappers" must be an array of functions; got ${describe(bad)}.`);
  }
  return wrappers;
}
