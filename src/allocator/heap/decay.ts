/**
 * How many free slabs may still be warm, as time goes by: after jemalloc's decay.
 *
 * Slabs that became warm in one interval of time may all stay at first, none when `decayMs` have passed, and in between
 * a share that falls along a smoothstep curve: little at first, when they are likely to be used again, then fast, then
 * little. The bound is the sum over all intervals, so a steady load keeps what it needs and a burst fades.
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
  private givenBackBefore = 0;

  constructor(decayMs: number, nowMs: number) {
    this.stepMs = decayMs / STEPS;
    this.newestFromMs = nowMs;
  }

  /**
   * Of `warm` slabs, how many may stay so at `nowMs` (a clock that is never set back). `givenBack`: slabs given back so
   * far, modulo 2^32. Those that were taken and given back since the last look became warm anew: their number stays the
   * same, and they are in use.
   */
  allowed(warm: number, givenBack: number, nowMs: number): number {
    this.moveTo(nowMs);
    const since = (givenBack - this.givenBackBefore) >>> 0;
    this.givenBackBefore = givenBack;
    const newlyWarm = Math.max(warm - this.warmBefore, Math.min(warm, since));
    this.became[this.newest] = (this.became[this.newest] as number) + newlyWarm;
    let sum = 0;
    for (let step = 0; step < STEPS; step++) {
      const slabs = this.became[(this.newest - step + STEPS) % STEPS] as number;
      sum += slabs * (step === 0 ? 1 : (STAYS[step - 1] as number));
    }
    const allowed = Math.min(warm, Math.floor(sum));
    this.warmBefore = allowed;
    return allowed;
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
