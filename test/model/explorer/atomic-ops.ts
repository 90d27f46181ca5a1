/** What the atomic operations do, by their numbers in instrument.ts. */

/** As traces name them. */
export const OP_NAMES = ["AL", "AS", "CAS", "OR", "AND", "ADD", "XCHG"];

/** The word after the operation; undefined when it stays. */
export function atomicResult(op: number, before: number, x: number, y: number): number | undefined {
  switch (op) {
    case 1:
    case 6:
      return x;
    case 2:
      return before === (x | 0) ? y : undefined;
    case 3:
      return before | x;
    case 4:
      return before & x;
    default:
      return before + x;
  }
}

/** On an array that is not the machine's. */
export function applyAtomic(array: Int32Array, op: number, word: number, x: number, y: number): number {
  const before = Atomics.load(array, word);
  const now = op === 0 ? undefined : atomicResult(op, before, x, y);
  if (now !== undefined) Atomics.store(array, word, now);
  return op === 1 ? x : before;
}
