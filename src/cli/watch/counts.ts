/** Whole numbers of any size. */
import type { Count } from "../../stats.js";

/** Exact, whatever the size. */
export function sumCounts(counts: readonly Count[]): Count {
  const sum = counts.reduce<number>((all, count) => all + Number(count), 0);
  if (Number.isSafeInteger(sum) && counts.every((count) => typeof count === "number")) return sum;
  const exact = counts.reduce<bigint>((all, count) => all + BigInt(count), 0n);
  return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
}

/** The largest; 0 of none. */
export function largestCount(counts: readonly Count[]): Count {
  let largest: Count = 0;
  for (const count of counts) {
    if (count > largest) largest = count;
  }
  return largest;
}
