/** Checks of single options; each throws a typed error that names the option, the value and what is allowed. */
import { InvalidTypeError, InvalidValueError } from "../errors.js";
import { describe } from "./size-classes.js";

/** Bytes of the largest heap, and so of everything in one. */
export const MAX_CAPACITY = 4294967296; // 4 GiB

/** Checks an optional whole number. */
export function integerOption(
  name: string,
  value: unknown,
  fallback: number,
  min: number,
  max: number,
): number {
  if (value === undefined) return fallback;
  if (typeof value !== "number") {
    throw new InvalidTypeError(
      `Option "${name}" must be a number from ${min} to ${max}; got ${describe(value)}.`,
    );
  }
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new InvalidValueError(
      `Option "${name}" must be a whole number from ${min} to ${max}; got ${value}.`,
    );
  }
  return value;
}

/** Checks an optional boolean; the default is false. */
export function booleanOption(name: string, value: unknown): boolean {
  if (value === undefined) return false;
  if (typeof value !== "boolean") {
    throw new InvalidTypeError(`Option "${name}" must be true or false; got ${describe(value)}.`);
  }
  return value;
}
