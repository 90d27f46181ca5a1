/** A curve in one line of text. */

const BARS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;

/**
 * The last `width` values as bars, the newest at the right. Bars stand on 0, unless `from` says where; the largest value
 * is the highest bar. A value that is not known (null) leaves a gap, and so does time before the first value.
 */
export function sparkline(values: readonly (number | null)[], width: number, from = 0): string {
  if (width < 1) return "";
  const shown = values.slice(-width);
  const top = shown.reduce<number>((most, value) => Math.max(most, value ?? from), from);
  const bars = shown.map((value) => {
    if (value === null) return " ";
    const share = top > from ? (value - from) / (top - from) : 0;
    return BARS[Math.min(BARS.length - 1, Math.max(0, Math.ceil(share * BARS.length) - 1))] as string;
  });
  return bars.join("").padStart(width);
}
