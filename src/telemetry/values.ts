/** Numbers of a document as the text format writes them. */

/**
 * A value divided by 1 or a power of ten; undefined for what is no number. Whole numbers keep every digit, however large:
 * a bigint of nanoseconds becomes a decimal fraction without passing through a floating-point number.
 */
export function valueText(value: unknown, divisor: number): string | undefined {
  switch (typeof value) {
    case "number":
      return numberText(divisor === 1 ? value : value / divisor);
    case "bigint":
      // Nobody counts that far, and readers of the text refuse all of it for one number that is no double.
      if (!Number.isFinite(Number(value))) return undefined;
      return divisor === 1 ? value.toString() : decimalText(value, BigInt(divisor));
    case "boolean":
      return value ? "1" : "0";
    default:
      return undefined;
  }
}

/** What a counter can be: `rate()` would take anything else for a restart. */
export function counterText(value: unknown, divisor: number): string | undefined {
  if (typeof value === "number" && !(value >= 0 && value < Infinity)) return undefined;
  if (typeof value === "bigint" && value < 0n) return undefined;
  return valueText(value, divisor);
}

/** The number that a text of {@link valueText} stands for, to the nearest. */
export function textNumber(text: string): number {
  return Number(text.replace("Inf", "Infinity"));
}

export function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "+Inf" : "-Inf";
}

function decimalText(value: bigint, divisor: bigint): string {
  const sign = value < 0n ? "-" : "";
  const size = value < 0n ? -value : value;
  const digits = divisor.toString().length - 1;
  const fraction = (size % divisor).toString().padStart(digits, "0").replace(/0+$/, "");
  return `${sign}${size / divisor}${fraction === "" ? "" : `.${fraction}`}`;
}

/** a + b, exact for whole numbers; undefined or anything else that is no number counts as 0. */
export function plus(a: number | bigint, b: unknown): number | bigint {
  if (typeof b !== "number" && typeof b !== "bigint") return a;
  const sum = Number(a) + Number(b);
  if (typeof a === "number" && typeof b === "number" && Number.isSafeInteger(sum)) return sum;
  return isWhole(a) && isWhole(b) ? BigInt(a) + BigInt(b) : sum;
}

const isWhole = (value: number | bigint): boolean => typeof value === "bigint" || Number.isInteger(value);
