import { randomFrom } from "../../allocator/index.js";

/** Small repeatable random numbers: the same seed and worker number make the same choices. */
export class Random {
  /** The next number from 0 up to 1, 1 excluded. */
  readonly fraction: () => number;

  constructor(seed: number, stream: number) {
    this.fraction = randomFrom(Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(stream + 1, 0xc2b2ae35));
  }

  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + Math.floor(this.fraction() * (max - min + 1));
  }

  /** True in `percent` of all calls. */
  chance(percent: number): boolean {
    return this.fraction() * 100 < percent;
  }
}
