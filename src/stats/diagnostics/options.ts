/** Checking options: every error names the option, what was given and what is allowed. */
import { InvalidTypeError, InvalidValueError } from "../../allocator/errors.js";
import { describe } from "../../allocator/memory/size-classes.js";

/** The options as an object; unknown keys are mistakes (a misspelt threshold would silently not apply). */
export function checkOptions(
  what: string,
  options: unknown,
  known: readonly string[],
): Record<string, unknown> {
  if (options === undefined) return {};
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new InvalidTypeError(`${what} must be an object; got ${describe(options)}.`);
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) {
      throw new InvalidTypeError(`${what}: unknown option "${key}"; known are ${known.join(", ")}.`);
    }
  }
  return options as Record<string, unknown>;
}

export interface NumberRange {
  readonly min: number;
  readonly max: number;
  readonly whole?: boolean;
  /** Infinity is allowed too and means "never". */
  readonly orNever?: boolean;
}

export function numberOption(name: string, value: unknown, fallback: number, range: NumberRange): number {
  if (value === undefined) return fallback;
  const { min, max, whole = false, orNever = false } = range;
  const allowed = `a ${whole ? "whole " : ""}number from ${min} to ${max}${orNever ? ", or Infinity for never" : ""}`;
  if (typeof value !== "number") {
    throw new InvalidTypeError(`Option "${name}" must be ${allowed}; got ${describe(value)}.`);
  }
  if (orNever && value === Infinity) return value;
  // Written so that NaN fails too.
  if (!(value >= min && value <= max) || (whole && !Number.isInteger(value))) {
    throw new InvalidValueError(`Option "${name}" must be ${allowed}; got ${value}.`);
  }
  return value;
}

/** Ages: up to about 30 years. */
export const SECONDS: NumberRange = { min: 0, max: 1e9 };
export const WHOLE: NumberRange = { min: 0, max: Number.MAX_SAFE_INTEGER, whole: true };
