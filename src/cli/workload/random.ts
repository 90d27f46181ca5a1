/** Small repeatable random numbers: the same seed and worker number make the same choices. */
export class Random {
  #state: number;

  constructor(seed: number, stream: number) {
    this.#state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(stream + 1, 0xc2b2ae35)) | 0 || 1;
    for (let i = 0; i < 8; i++) this.#next();
  }

  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + Math.floor((this.#next() / 2 ** 32) * (max - min + 1));
  }

  /** True in `percent` of all calls. */
  chance(percent: number): boolean {
    return (this.#next() / 2 ** 32) * 100 < percent;
  }

  /** From 0 up to 1, 1 excluded. */
  fraction(): number {
    return this.#next() / 2 ** 32;
  }

  /** xorshift32: the next 32 bits, unsigned. */
  #next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }
}
