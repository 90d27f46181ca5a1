/** Reads rows of foreign JSON by their declared fields: right types come out, anything else is named in an error. */
import { InvalidTypeError, InvalidValueError } from "../../allocator/errors.js";
import { toCount } from "./count.js";
import type { Count, Field, FieldType, RowOf } from "./field.js";

export type JsonObject = Readonly<Record<string, unknown>>;

/** The value at `path` (`classes[3].object_size`; "" for the document itself) is not what it must be. */
export function wrongType(path: string, value: unknown, allowed: string): InvalidTypeError {
  return new InvalidTypeError(complaint(path, value, allowed));
}

/** It has the right type, but a value that is not allowed; or it is missing. */
export function wrongValue(path: string, value: unknown, allowed: string): InvalidValueError {
  return new InvalidValueError(complaint(path, value, allowed));
}

function complaint(path: string, value: unknown, allowed: string): string {
  const found = value === undefined ? "is missing" : `is ${show(value)}`;
  return `stats document: ${path === "" ? "it" : path} ${found}; it must be ${allowed}`;
}

const SHOWN = 40;

/** The value in few characters, whatever it is. */
function show(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text;
}

export function objectAt(value: unknown, path: string): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw value === undefined
    ? wrongValue(path, value, "an object")
    : wrongType(path, value, path === "" ? "an object, or the JSON text of one" : "an object");
}

export function listAt(value: unknown, path: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw value === undefined ? wrongValue(path, value, "a list") : wrongType(path, value, "a list");
}

export function countAt(value: unknown, path: string): Count {
  return toCount(wholeAt(value, path, 0n, undefined));
}

export function textAt(value: unknown, path: string, values?: readonly string[]): string {
  const allowed = values === undefined ? "text" : values.map((v) => JSON.stringify(v)).join(" or ");
  if (value === undefined) throw wrongValue(path, value, allowed);
  if (typeof value !== "string") throw wrongType(path, value, allowed);
  if (values !== undefined && !values.includes(value)) throw wrongValue(path, value, allowed);
  return value;
}

/** The object's entries with each value read by `read`; keys may be anything, `__proto__` included. */
export function recordAt<Value>(
  value: unknown,
  path: string,
  read: (value: unknown, path: string) => Value,
): Readonly<Record<string, Value>> {
  const entries = Object.entries(objectAt(value, path));
  return Object.fromEntries(entries.map(([key, item]) => [key, read(item, join(path, key))]));
}

export const join = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

/**
 * The declared fields of the object at `path`. Fields of type "object" are left to the caller; keys that are not
 * declared are ignored; a field that is missing reads as 0, "", false or null unless it is required.
 */
export function readRow<const Fields extends readonly Field[]>(
  value: unknown,
  path: string,
  fields: Fields,
): RowOf<Fields> {
  const source = objectAt(value, path);
  const row: Record<string, unknown> = {};
  for (const field of fields) {
    if (field.type === "object") continue;
    const found = source[field.name];
    if (found === undefined && !field.required) row[field.name] = EMPTY[field.type];
    else row[field.name] = readField(found, join(path, field.name), field);
  }
  return row as RowOf<Fields>;
}

const EMPTY = {
  count: 0,
  "count|null": null,
  integer: 0,
  "integer|null": null,
  ns: 0n,
  float: 0,
  "float|null": null,
  string: "",
  boolean: false,
} as const;

function readField(value: unknown, path: string, field: Field): unknown {
  if (value === null && isNullable(field.type)) return null;
  switch (field.type) {
    case "count":
    case "count|null":
      return countAt(value, path);
    case "ns":
      return wholeAt(value, path, 0n, undefined);
    case "integer":
    case "integer|null":
      return Number(wholeAt(value, path, BigInt(field.minimum ?? 0), BigInt(field.maximum ?? SAFE)));
    case "float|null":
      return floatAt(value, path, "a number or null");
    case "float":
      return floatAt(value, path, "a number");
    case "boolean":
      if (typeof value === "boolean") return value;
      throw value === undefined
        ? wrongValue(path, value, "true or false")
        : wrongType(path, value, "true or false");
    default:
      return textAt(value, path, field.values);
  }
}

const isNullable = (type: FieldType): boolean => type.endsWith("|null");

const SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** A value that came through `JSON.parse` may be a number beyond 2^53: its nearest neighbour is all there is left. */
function wholeAt(value: unknown, path: string, from: bigint, to: bigint | undefined): bigint {
  const upTo = to === undefined ? "" : ` to ${to === SAFE ? "2^53 - 1" : to}`;
  const start = from === -SAFE ? "-2^53 + 1" : String(from);
  const allowed = `a whole number from ${start}${upTo}`;
  if (value === undefined) throw wrongValue(path, value, allowed);
  if (typeof value !== "number" && typeof value !== "bigint") throw wrongType(path, value, allowed);
  if (typeof value === "number" && !Number.isInteger(value)) throw wrongValue(path, value, allowed);
  const whole = BigInt(value);
  if (whole < from || (to !== undefined && whole > to)) throw wrongValue(path, value, allowed);
  return whole;
}

export function floatAt(value: unknown, path: string, allowed: string): number {
  if (value === undefined) throw wrongValue(path, value, allowed);
  if (typeof value !== "number" && typeof value !== "bigint") throw wrongType(path, value, allowed);
  const number = Number(value);
  if (!Number.isFinite(number)) throw wrongValue(path, value, allowed);
  return number;
}

/** Those of `values` that the source has no key for. */
export function missing<Values extends object>(source: JsonObject, values: Values): Partial<Values> {
  const entries = Object.entries(values).filter(([key]) => source[key] === undefined);
  return Object.fromEntries(entries) as Partial<Values>;
}
