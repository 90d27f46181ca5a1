/** Whole numbers of any size: added up, and written as JSON. */
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

/** `value` as JSON in one line; bigints as plain digits, keys without a value left out. */
export function jsonLine(value: unknown): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(jsonLine).join(",")}]`;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${jsonLine(item)}`).join(",")}}`;
}
