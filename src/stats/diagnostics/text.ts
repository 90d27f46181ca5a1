/** Figures and names as the diagnostics' sentences have them. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** 1536 -> "1.50 KiB". */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(2)} ${UNITS[unit]}`;
}

/** 600 -> "10 min". Rounded down: whatever it says has passed for certain. */
export function ageText(seconds: number): string {
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 2 * 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}

/** 1 -> "once", 3 -> "3 times". */
export function timesText(count: number): string {
  if (count === 1) return "once";
  return count === 2 ? "twice" : `${count} times`;
}

/** 1 -> "1 slab", 2 -> "2 slabs". */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** 12.34 -> "12.3%", 0.0123 -> "0.012%". */
export function percentText(percent: number): string {
  return `${Number(percent.toFixed(Math.abs(percent) < 1 ? 3 : 1))}%`;
}

/** "epoch 12 (background-worker-3)". */
export function epochText(id: number, label: string): string {
  return label === "" ? `epoch ${id}` : `epoch ${id} (${printable(label)})`;
}

/**
 * Labels are the application's: what must not reach a terminal or break a line is shown as `\u{1b}`. That is control and
 * format characters (which may turn the direction of writing), line separators and halves of surrogate pairs.
 */
export function printable(label: string): string {
  return label.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) as number).toString(16)}}`;
  });
}

/** part of whole in percent, 0..100; 0 of nothing is 0. Counters of a running heap are not one instant: clamped. */
export function percentOf(part: number, whole: number): number {
  return whole > 0 ? Math.min(100, Math.max(0, (part / whole) * 100)) : 0;
}

export function sum<Row>(rows: readonly Row[], value: (row: Row) => number): number {
  return rows.reduce((total, row) => total + value(row), 0);
}
