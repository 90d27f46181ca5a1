/** How a field of the stats document is declared; see `fields.ts` for the declarations. */

/**
 * What a value can be:
 *   count    whole number that only grows, or a size in bytes; a bigint where it exceeds 2^53 - 1
 *   integer  small whole number
 *   ns       nanoseconds since 1970, always a bigint
 *
 * "...|null": null where there is none, as in a document from before the field.
 */
export type FieldType =
  | "count"
  | "count|null"
  | "integer"
  | "integer|null"
  | "ns"
  | "float"
  | "float|null"
  | "string"
  | "boolean"
  | "object";

/** counter: never goes back; gauge: may; info: names or configures; ratio: follows from other fields. */
export type FieldKind = "counter" | "gauge" | "info" | "ratio";

export interface Field<
  Name extends string = string,
  Type extends FieldType = FieldType,
  Kind extends FieldKind = FieldKind,
> {
  /** Key in the document. */
  readonly name: Name;
  readonly type: Type;
  readonly kind: Kind;
  /** Base unit: "1", "bytes", "ns", "seconds", "percent", "slabs", "objects"; "" for names. */
  readonly unit: string;
  /** One sentence for people. */
  readonly help: string;
  /** Documents without it are refused. */
  readonly required: boolean;
  /** False: the C allocator's documents do not have it. */
  readonly inC: boolean;
  /** Smallest value of an "integer"; 0 unless given. */
  readonly minimum?: number;
  /** Largest value of an "integer"; 2^53 - 1 unless given. */
  readonly maximum?: number;
  /** The only values of a "string"; any unless given. */
  readonly values?: readonly string[];
  /** Its metric, where that is not what the rule in `metrics.ts` makes of it. */
  readonly metric?: MetricChoice;
}

/** Why a field has no metric, or how its metric differs from what the rule in `metrics.ts` makes of the field. */
export type MetricChoice =
  | { readonly skip: string }
  | {
      /** Name without the prefix that all metrics share. */
      readonly name?: string;
      readonly help?: string;
      /** Labels of fixed value: several fields make one metric. */
      readonly labels?: Readonly<Record<string, string>>;
      /** Counters of a size class, by object size alone: beside the metric by class, or instead of it. */
      readonly bySize?: "also" | "only";
      /** No series where the value is 0: it then says "not known", or would divide by 0. */
      readonly omitZero?: true;
      /** Of many size classes, no series for those where it is 0: most will never count any. */
      readonly rare?: true;
    };

/** A whole number; a bigint only where it exceeds `Number.MAX_SAFE_INTEGER` (documents of other programs). */
export type Count = number | bigint;

interface ValueOf {
  count: Count;
  "count|null": Count | null;
  integer: number;
  "integer|null": number | null;
  ns: bigint;
  float: number;
  "float|null": number | null;
  string: string;
  boolean: boolean;
}

/** The object type that a list of fields describes (fields of type "object" are added by hand). */
export type RowOf<Fields extends readonly Field[]> = {
  readonly [F in Fields[number] as F["type"] extends "object"
    ? never
    : F["name"]]: F["type"] extends keyof ValueOf ? ValueOf[F["type"]] : never;
};

interface Extras extends Pick<Field, "minimum" | "maximum" | "values" | "metric"> {
  readonly required?: boolean;
}

/** Field of a document that the C allocator has too. */
export function known<const Name extends string, const Type extends FieldType, const Kind extends FieldKind>(
  name: Name,
  type: Type,
  kind: Kind,
  unit: string,
  help: string,
  extras: Extras = {},
): Field<Name, Type, Kind> {
  return { name, type, kind, unit, help, required: false, inC: true, ...extras };
}

/** Field that only this package's documents have. */
export function added<const Name extends string, const Type extends FieldType, const Kind extends FieldKind>(
  name: Name,
  type: Type,
  kind: Kind,
  unit: string,
  help: string,
  extras: Extras = {},
): Field<Name, Type, Kind> {
  return { name, type, kind, unit, help, required: false, inC: false, ...extras };
}
