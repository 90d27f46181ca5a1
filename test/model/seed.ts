/** Seeds of random tests: printed when a test starts, and taken from TSLAB_SEED to repeat a run. */

/** The seed for the test called `name`; prints it. */
export function testSeed(name: string): number {
  const given = process.env.TSLAB_SEED;
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  console.log(`${name}: seed ${seed} (repeat with TSLAB_SEED=${seed})`);
  return seed;
}

/** Small fast generator (xorshift); `below(n)` is uniform enough for tests. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = Math.imul(seed | 1, 0x9e3779b1) | 1;
  }

  next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return x >>> 0;
  }

  below(n: number): number {
    return this.next() % n;
  }
}
