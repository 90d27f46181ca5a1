/** Numbers, sizes and times as people read them, and as they write them. */

/**
 * `formatBytes`: 1536 -> "1.50 KiB". `ageText`: 600 -> "10 min". `printable`: a text of unknown origin without its control
 * characters; every such text goes through it on its way to a terminal. The diagnostics print the same.
 */
export { ageText, bytesText as formatBytes, printable } from "../stats/index.js";

/** "64MiB", "64M", "64 mb" or "67108864" -> bytes; undefined when it is none of these. */
export function parseBytes(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(?:([kmgt])i?b?|b)?\s*$/i.exec(text);
  if (match === null) return undefined;
  const power = match[2] === undefined ? 0 : "kmgt".indexOf(match[2].toLowerCase()) + 1;
  const bytes = Number(match[1]) * 1024 ** power;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

const MS_PER_UNIT = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 } as const;

/** "500ms", "5s", "1m", "2h", or seconds without a unit -> milliseconds; undefined when it is none of these. */
export function parseDuration(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m|min|h)?\s*$/i.exec(text);
  if (match === null) return undefined;
  const unit = (match[2]?.toLowerCase() ?? "s") as keyof typeof MS_PER_UNIT;
  const ms = Number(match[1]) * MS_PER_UNIT[unit];
  return Number.isFinite(ms) ? ms : undefined;
}

/** Milliseconds as `parseDuration` reads them: 500 -> "500ms", 90000 -> "90s", 3600000 -> "1h". */
export function formatDuration(ms: number): string {
  for (const unit of ["h", "m", "s"] as const) {
    const count = ms / MS_PER_UNIT[unit];
    if (count >= 1 && Number.isInteger(count)) return `${count}${unit}`;
  }
  return `${ms}ms`;
}

/** 1234567.8 -> "1,234,568". Bigints keep all their digits. */
export function formatCount(value: number | bigint): string {
  return (typeof value === "bigint" ? value : Math.round(value)).toLocaleString("en-US");
}

/**
 * Nanoseconds since 1970 -> date and time of day in UTC, "2026-02-07" and "17:48:41". Undefined where it is no such time:
 * the clock of the C allocator's second shape starts with the machine, and a number may be anything.
 */
export function utcTime(ns: bigint): readonly [date: string, time: string] | undefined {
  const date = new Date(Number(ns / 1_000_000n));
  if (Number.isNaN(date.getTime()) || date.getUTCFullYear() < 2000) return undefined;
  const [day = "", time = ""] = date.toISOString().split("T");
  return [day, time.slice(0, 8)];
}

/** 2_650_000 -> "2.65 M"; small numbers stay whole. */
export function formatRate(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  return formatCount(value);
}

/** 0.01234 -> "1.23%", 0.0001234 -> "0.0123%". */
export function formatShare(share: number): string {
  if (share === 0) return "0%";
  return `${(share * 100).toFixed(share < 0.01 ? 4 : 2)}%`;
}

/** 75.2 -> "1m15s", 3.25 -> "3.2s". */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)}s`;
  const minutes = Math.floor(seconds / 60);
  return `${minutes}m${String(Math.floor(seconds - minutes * 60)).padStart(2, "0")}s`;
}

/** 1234567 -> "1.23 ms": nanoseconds with three digits or so. */
export function formatNs(ns: number): string {
  if (ns >= 1e9) return `${(ns / 1e9).toFixed(2)} s`;
  if (ns >= 1e6) return `${(ns / 1e6).toFixed(2)} ms`;
  if (ns >= 1e3) return `${(ns / 1e3).toFixed(2)} us`;
  return `${Math.round(ns)} ns`;
}

/** Counts with their noun: 1 -> "1 problem", 2 -> "2 problems". */
export function plural(count: number | bigint, noun: string): string {
  return `${formatCount(count)} ${noun}${Number(count) === 1 ? "" : "s"}`;
}
