/**
 * Definition of a record -> where each field lies. Equal definitions give equal layouts, in every thread and version.
 *
 * Fields are placed by alignment, 8 bytes first, then 4, 2 and 1; among equals in the order of the definition. So there
 * is no gap between fields, and only the end is rounded up to the largest alignment.
 */
import { describeValue, InvalidTypeError, InvalidValueError } from "../allocator/index.js";

/** Number types of fields; the figure is the width in bits. Values are stored as typed arrays store them. */
export type NumberKind = "f64" | "f32" | "i32" | "u32" | "i16" | "u16" | "i8" | "u8";

/**
 * Type of a field: a number, `bool`, `["text", bytes]` (fixed room for UTF-8), or `[number type, length]`, an array.
 */
export type FieldKind =
  | NumberKind
  | "bool"
  | readonly ["text", bytes: number]
  | readonly [kind: NumberKind, length: number];

/** Fields by name, see {@link FieldKind}. */
export interface RecordDefinition {
  readonly [name: string]: FieldKind;
}

const NUMBER_BYTES: { readonly [kind in NumberKind]: number } = {
  f64: 8,
  f32: 4,
  i32: 4,
  u32: 4,
  i16: 2,
  u16: 2,
  i8: 1,
  u8: 1,
};
/** Of a text or an array. More belongs into an object of its own. */
const MAX_LENGTH = 65_536;
const NAME = /^[A-Za-z$][\w$]*$/;

export interface Field {
  readonly name: string;
  readonly kind: NumberKind | "bool" | "text";
  /** Elements of an array, bytes of a text; undefined for a single value. */
  readonly length: number | undefined;
  /** From the start of the record, in bytes. */
  readonly offset: number;
}

export interface RecordLayout {
  /** In the order of the definition. */
  readonly fields: readonly Field[];
  readonly byteLength: number;
}

/** Checks `definition` and places its fields. `taken`: names the record has for itself. */
export function layoutRecord(definition: unknown, taken: (name: string) => boolean): RecordLayout {
  if (typeof definition !== "object" || definition === null || Array.isArray(definition)) {
    throw new InvalidTypeError(
      `defineRecord: the definition must be an object of fields, such as { x: "f64" }; got ${describeValue(definition)}.`,
    );
  }
  const wanted = Object.entries(definition).map(([name, kind]) => {
    if (!NAME.test(name) || taken(name)) {
      throw new InvalidValueError(
        `defineRecord: a field's name must be letters, digits, $ and _, begin with a letter or $, and not be a member of records or objects such as handle, moveTo or toString; got ${describeValue(name)}.`,
      );
    }
    return { name, ...checkKind(name, kind) };
  });
  if (wanted.length === 0) {
    throw new InvalidValueError("defineRecord: the definition must have at least one field; got none.");
  }
  const offsets = new Map<string, number>();
  let end = 0;
  for (const alignment of [8, 4, 2, 1]) {
    for (const { name, kind, length } of wanted) {
      const width = bytesOf(kind);
      if (width !== alignment) continue;
      offsets.set(name, end);
      end += width * (length ?? 1);
    }
  }
  const alignment = Math.max(...wanted.map(({ kind }) => bytesOf(kind)));
  return {
    fields: wanted.map((field) => ({ ...field, offset: offsets.get(field.name) as number })),
    byteLength: Math.ceil(end / alignment) * alignment,
  };
}

/** Width of one element, which is its alignment too. */
export function bytesOf(kind: Field["kind"]): number {
  return kind === "bool" || kind === "text" ? 1 : NUMBER_BYTES[kind];
}

function checkKind(name: string, given: unknown): Pick<Field, "kind" | "length"> {
  if (given === "bool" || isNumberKind(given)) return { kind: given, length: undefined };
  if (Array.isArray(given) && given.length === 2 && (given[0] === "text" || isNumberKind(given[0]))) {
    const [kind, length]: [Field["kind"], unknown] = [given[0], given[1]];
    if (typeof length !== "number") {
      throw new InvalidTypeError(
        `defineRecord: length of field ${name} must be a number from 1 to ${MAX_LENGTH}; got ${describeValue(length)}.`,
      );
    }
    if (!Number.isInteger(length) || length < 1 || length > MAX_LENGTH) {
      throw new InvalidValueError(
        `defineRecord: length of field ${name} must be a whole number from 1 to ${MAX_LENGTH}; got ${length}.`,
      );
    }
    return { kind, length };
  }
  const [Problem, what] =
    typeof given === "string"
      ? [InvalidValueError, describeValue(given)]
      : [InvalidTypeError, describeValue(given)];
  throw new Problem(
    `defineRecord: type of field ${name} must be ${Object.keys(NUMBER_BYTES).join(", ")}, bool, ["text", bytes] or [number type, length]; got ${what}.`,
  );
}

function isNumberKind(kind: unknown): kind is NumberKind {
  return typeof kind === "string" && Object.hasOwn(NUMBER_BYTES, kind);
}
