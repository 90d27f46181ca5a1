/** Giving memory back outside a close: on demand, and while the thread is idle. */
import { S_PRESSURE } from "../counters/fields.js";
import { count } from "../counters/record.js";
import { InvalidTypeError } from "../errors.js";
import { addSeq } from "../memory/atomics.js";
import type { Attachment } from "../memory/attachment.js";
import { PHASE, PRESSURE, SEAT_COUNTERS, SEAT_GIVEN_BACK } from "../memory/offsets.js";
import { integerOption, MAX_CAPACITY } from "../memory/options.js";
import { describe } from "../memory/size-classes.js";
import { poll, sync } from "../seats/sync.js";
import { IDLE_BYTES, mayRelease, newReleaseTally, releaseGivenBack, releaseWarm } from "../slabs/release.js";
import type { TrimOptions, TrimReport } from "../types.js";
import { countWarm } from "../words/resident-map.js";
import { Decay } from "./decay.js";

export function trim(a: Attachment, options: TrimOptions): TrimReport {
  const keepBytes = checkTrimOptions(options);
  const start = performance.now();
  poll(a);
  const givenBack = a.seatBase + SEAT_GIVEN_BACK;
  const before = a.m[givenBack] as number;
  // Everybody gives back the empty slabs of the open epoch: the others at their next operation, this thread now.
  count(a.m, a.seatBase + SEAT_COUNTERS + S_PRESSURE, 1);
  addSeq(a.m, PRESSURE, 1);
  addSeq(a.m, PHASE, 1);
  sync(a, false);
  const slabsRecycled = ((a.m[givenBack] as number) - before) >>> 0;
  const tally = newReleaseTally();
  releaseWarm(a, Math.floor(keepBytes / a.layout.slabSize), tally, Number.POSITIVE_INFINITY);
  return {
    slabsRecycled,
    slabsReleased: tally.slabs,
    bytesReleased: tally.bytes,
    calls: tally.calls,
    failures: tally.failures,
    durationNs: Math.round((performance.now() - start) * 1e6),
  };
}

function checkTrimOptions(options: unknown): number {
  if (typeof options !== "object" || options === null) {
    throw new InvalidTypeError(`trim: options must be an object; got ${describe(options)}.`);
  }
  const { keepBytes, ...unknown }: TrimOptions = options;
  const [extra] = Object.keys(unknown);
  if (extra !== undefined) {
    throw new InvalidTypeError(`trim: unknown option ${JSON.stringify(extra)}; known is keepBytes.`);
  }
  return integerOption("keepBytes", keepBytes, 0, 0, MAX_CAPACITY);
}

/** What a thread's idle timer does about pages: what threads without a releaser gave back, a close's leftovers, and decay. */
export class IdleReleaser {
  private readonly a: Attachment;
  private readonly decay: Decay | undefined;

  constructor(a: Attachment) {
    const { releaser, decayMs } = a.rules;
    this.a = a;
    this.decay = releaser === undefined || decayMs === 0 ? undefined : new Decay(decayMs, performance.now());
  }

  /** Looks after what is left to release, a little at a time: event loops have other things to do. */
  tick(): void {
    const { a, decay } = this;
    if (a.detached) return;
    releaseGivenBack(a, newReleaseTally(), IDLE_BYTES);
    if (decay === undefined || !mayRelease(a)) return;
    const warm = countWarm(a.m, a.layout);
    const allowed = decay.allowed(warm, performance.now());
    if (warm > allowed) releaseWarm(a, allowed, newReleaseTally(), IDLE_BYTES);
    decay.settle(countWarm(a.m, a.layout));
  }
}
