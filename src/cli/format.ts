/** Numbers, sizes and tables as people read them; and sizes as people write them. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** 1536 -> "1.50 KiB". */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || Number.isInteger(value) ? 0 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** "64MiB", "64M", "64 mb" or "67108864" -> bytes; undefined when it is none of these. */
export function parseBytes(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(?:([kmgt])i?b?|b)?\s*$/i.exec(text);
  if (match === null) return undefined;
  const power = match[2] === undefined ? 0 : "kmgt".indexOf(match[2].toLowerCase()) + 1;
  const bytes = Number(match[1]) * 1024 ** power;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** 1234567.8 -> "1,234,568". */
export function formatCount(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** 2_650_000 -> "2.65 M"; small numbers stay whole. */
export function formatRate(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  return formatCount(value);
}

/** 0.01234 -> "1.234%". */
export function formatShare(share: number): string {
  return `${(share * 100).toFixed(share < 0.01 ? 4 : 2)}%`;
}

/** 75.2 -> "1m15s", 3.25 -> "3.2s". */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)}s`;
  const minutes = Math.floor(seconds / 60);
  return `${minutes}m${String(Math.floor(seconds - minutes * 60)).padStart(2, "0")}s`;
}

/** Counts with their noun: 1 -> "1 problem", 2 -> "2 problems". */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** An aligned table; columns named in `left` are left-aligned, the others right-aligned. */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  left: readonly string[] = [],
): string {
  const all = [header, ...rows];
  const widths = header.map((_, i) => Math.max(...all.map((row) => (row[i] ?? "").length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) =>
        left.includes(header[i] ?? "") ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return all.map(line).join("\n");
}
