/**
 * Figures as people read them. Everything here is a pure function to text; widths stay within a few characters, so that
 * a figure that changes does not move its neighbours.
 */

/** Stands where a figure is not known. */
export const UNKNOWN = "–";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** 1536 -> "1.50 KiB": three significant digits, whole bytes below 1 KiB. */
export function bytes(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return UNKNOWN;
  if (value < 0) return `−${bytes(-value)}`;
  let scaled = value;
  let unit = 0;
  // 1023.5 would read "1024 KiB".
  while (scaled >= (unit === 0 ? 1024 : 999.5) && unit < UNITS.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return `${unit === 0 ? Math.round(scaled) : threeDigits(scaled)} ${UNITS[unit]}`;
}

/** 1234567 -> "1,234,567". */
export function count(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return UNKNOWN;
  return Math.round(value).toLocaleString("en-US");
}

const SCALES = ["", "k", "M", "G", "T"] as const;

/** 1234567 -> "1.23M", 950 -> "950", 0.25 -> "0.25": at most five characters. */
export function short(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return UNKNOWN;
  if (value < 0) return `−${short(-value)}`;
  let scaled = value;
  let scale = 0;
  while (scaled >= 999.5 && scale < SCALES.length - 1) {
    scaled /= 1000;
    scale++;
  }
  if (scale === 0) return Number.isInteger(scaled) ? String(scaled) : trim(threeDigits(scaled));
  return `${threeDigits(scaled)}${SCALES[scale]}`;
}

/** 1234 -> "1.23k/s". */
export function rate(value: number | null): string {
  return value === null || !Number.isFinite(value) ? UNKNOWN : `${short(value)}/s`;
}

/** 12.345 -> "12.3%"; what is there but rounds to nothing reads "<0.01%". */
export function percent(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return UNKNOWN;
  if (value === 0) return "0%";
  if (value > 0 && value < 0.01) return "<0.01%";
  return `${trim(threeDigits(value))}%`;
}

/** `part` of `whole` in percent; null where there is no whole. */
export function share(part: number, whole: number): number | null {
  return whole > 0 ? (100 * part) / whole : null;
}

/** 3725 -> "1 h 2 min", 62 -> "1 min 2 s", 3 -> "3 s": the two largest units. */
export function duration(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return UNKNOWN;
  const whole = Math.max(0, Math.floor(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([amount], index) => index === 0 || amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(" ");
}

/** Local time of day, "14:03:09"; without seconds "14:03". */
export function clock(ms: number, withSeconds: boolean): string {
  const date = new Date(ms);
  const parts = [date.getHours(), date.getMinutes(), ...(withSeconds ? [date.getSeconds()] : [])];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

/** plural(1, "leak") -> "1 leak", plural(3, "leak") -> "3 leaks". */
export function plural(amount: number, noun: string, many = `${noun}s`): string {
  return `${count(amount)} ${amount === 1 ? noun : many}`;
}

/** Name of a size class: index -1 is that of objects too large for the others. */
export function className(index: number, objectSize: number): string {
  if (index < 0) return "large";
  const [amount = "", unit = ""] = bytes(objectSize).split(" ");
  return `${trim(amount)} ${unit}`;
}

/** A figure on an axis, which is round: "50.0k/s" -> "50k/s". */
export const rounded = (text: string): string =>
  text.replace(/\.0+(?=\D|$)/, "").replace(/(\.\d*[1-9])0+(?=\D|$)/, "$1");

function threeDigits(value: number): string {
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

const trim = (text: string): string => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
