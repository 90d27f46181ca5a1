/**
 * How many free slabs may still be warm, as time goes by: after jemalloc's decay.
 *
 * Slabs that became warm in one interval of time may all stay at first, none when `decayMs` have passed, and in between
 * a share that falls along a smoothstep curve: little at first, when they are likely to be used again, then fast, then
 * little. The bound is the sum over all intervals.
 *
 * Slabs that are taken and given back between two looks are not told from slabs that rest: they fade too, and begin anew
 * when they are next given back. A steady load pays the page faults of what it works in once in each decay time, and a
 * burst beside it fades all the same.
 */

/** Intervals in one decay time. */
const STEPS = 64;

/** Share that may stay after each step: 1 - smoothstep (6x^5 - 15x^4 + 10x^3). */
const STAYS: readonly number[] = Array.from({ length: STEPS }, (_, step) => {
  const x = (step + 1) / STEPS;
  return 1 - x * x * x * (x * (6 * x - 15) + 10);
});

export class Decay {
  private readonly stepMs: number;
  /** Slabs that became warm, by interval; `newest` is the current one. */
  private readonly became: Float64Array = new Float64Array(STEPS);
  private newest = 0;
  private newestFromMs: number;
  private warmBefore = 0;

  constructor(decayMs: number, nowMs: number) {
    this.stepMs = decayMs / STEPS;
    this.newestFromMs = nowMs;
  }

  /** Of `warm` slabs, how many may stay so at `nowMs` (a clock that is never set back). */
  allowed(warm: number, nowMs: number): number {
    this.moveTo(nowMs);
    this.became[this.newest] = (this.became[this.newest] as number) + Math.max(0, warm - this.warmBefore);
    let sum = 0;
    for (let step = 0; step < STEPS; step++) {
      const slabs = this.became[(this.newest - step + STEPS) % STEPS] as number;
      sum += slabs * (step === 0 ? 1 : (STAYS[step - 1] as number));
    }
    return Math.min(warm, Math.floor(sum));
  }

  /** How many are warm after what followed; more of them at the next look became so since. */
  settle(warm: number): void {
    this.warmBefore = warm;
  }

  private moveTo(nowMs: number): void {
    const passed = Math.floor((nowMs - this.newestFromMs) / this.stepMs);
    if (!(passed > 0)) return;
    for (let step = 0; step < Math.min(passed, STEPS); step++) {
      this.newest = (this.newest + 1) % STEPS;
      this.became[this.newest] = 0;
    }
    this.newestFromMs += passed * this.stepMs;
  }
}
