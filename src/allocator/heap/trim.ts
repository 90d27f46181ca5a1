/** Giving memory back outside a close: on demand, and while the thread is idle. */
import { S_PRESSURE } from "../counters/fields.js";
import { count } from "../counters/record.js";
import { InvalidTypeError } from "../errors.js";
import { addSeq } from "../memory/atomics.js";
import type { Attachment } from "../memory/attachment.js";
import { seatAt } from "../memory/layout.js";
import { PHASE, PRESSURE, SEAT_COUNTERS, SEAT_GIVEN_BACK } from "../memory/offsets.js";
import { integerOption, MAX_CAPACITY } from "../memory/options.js";
import { describe } from "../memory/size-classes.js";
import { poll, sync } from "../seats/sync.js";
import {
  mayRelease,
  newReleaseTally,
  releaseExcess,
  releaseGivenBack,
  releaseWarm,
} from "../slabs/release.js";
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
  releaseWarm(a, Math.floor(keepBytes / a.layout.slabSize), tally);
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

/** Honours what changed, and releases what this thread has given back since it last did. Never called by alloc or free. */
export function pollAndRelease(a: Attachment): void {
  poll(a);
  releaseGivenBack(a);
}

/** What a thread's idle timer does about pages: a close's leftovers, those of other threads, and decay. */
export class IdleReleaser {
  private readonly a: Attachment;
  private readonly decay: Decay | undefined;

  constructor(a: Attachment) {
    const { releaser, decayMs } = a.rules;
    this.a = a;
    this.decay = releaser === undefined || decayMs === 0 ? undefined : new Decay(decayMs, performance.now());
  }

  tick(): void {
    const { a } = this;
    if (a.detached || !mayRelease(a)) return;
    releaseExcess(a);
    if (this.decay === undefined) return;
    const keep = this.decay.allowed(countWarm(a.m, a.layout), givenBackByAll(a), performance.now());
    releaseWarm(a, keep, newReleaseTally());
  }
}

/** Slabs given back by all threads so far, modulo 2^32. Plain reads: what is not seen now is seen at the next look. */
function givenBackByAll({ m, layout }: Attachment): number {
  let slabs = 0;
  for (let seat = 1; seat <= layout.maxWorkers; seat++) {
    slabs = (slabs + (m[seatAt(layout, seat) + SEAT_GIVEN_BACK] as number)) | 0;
  }
  return slabs;
}
