/** Hashes of states: 64 bits in two words, so that a collision in ten million states is less likely than 1 in 100,000. */

export function mix1(hash: number, value: number): number {
  let h = Math.imul(hash ^ value, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35) + 0x165667b1;
  return h ^ (h >>> 16);
}

export function mix2(hash: number, value: number): number {
  let h = Math.imul(hash ^ Math.imul(value, 0x27d4eb2f), 0x2c1b3c6d);
  h ^= h >>> 12;
  h = Math.imul(h, 0x297a2d39) + 0x9e3779b9;
  return h ^ (h >>> 15);
}

/** A set of states, each with the largest budget it was visited with. Open addressing: millions of entries, no objects. */
export class VisitedStates {
  private size = 0;
  private capacity = 1 << 14;
  private keys = new Int32Array(this.capacity * 2);
  private budgets = new Int8Array(this.capacity);

  get count(): number {
    return this.size;
  }

  /** False when the state was visited before with at least this budget (0..126): nothing new can follow. */
  enter(h1: number, h2: number, budget: number): boolean {
    // An empty place is a pair of zeros.
    const first = h1 === 0 && h2 === 0 ? 1 : h1;
    let at = this.find(first, h2);
    if (this.budgets[at] !== 0) {
      if ((this.budgets[at] as number) > budget) return false;
      this.budgets[at] = budget + 1;
      return true;
    }
    if (this.size * 2 >= this.capacity) {
      this.grow();
      at = this.find(first, h2);
    }
    this.size++;
    this.keys[2 * at] = first;
    this.keys[2 * at + 1] = h2;
    this.budgets[at] = budget + 1;
    return true;
  }

  private find(h1: number, h2: number): number {
    const mask = this.capacity - 1;
    let at = (h1 ^ Math.imul(h2, 0x9e3779b1)) & mask;
    while (this.budgets[at] !== 0 && (this.keys[2 * at] !== h1 || this.keys[2 * at + 1] !== h2)) {
      at = (at + 1) & mask;
    }
    return at;
  }

  private grow(): void {
    const { keys, budgets } = this;
    const old = this.capacity;
    this.capacity = old * 4;
    this.keys = new Int32Array(this.capacity * 2);
    this.budgets = new Int8Array(this.capacity);
    for (let i = 0; i < old; i++) {
      if (budgets[i] === 0) continue;
      const at = this.find(keys[2 * i] as number, keys[2 * i + 1] as number);
      this.keys[2 * at] = keys[2 * i] as number;
      this.keys[2 * at + 1] = keys[2 * i + 1] as number;
      this.budgets[at] = budgets[i] as number;
    }
  }
}
