/** Arbitrary stats documents of this package, made from the declared fields. */
import fc from "fast-check";
import type { StatsDocument } from "../../../src/stats/document/document.js";
import type { Field } from "../../../src/stats/document/field.js";
import * as F from "../../../src/stats/document/fields.js";

const SAFE = 2n ** 53n;
const UINT64 = 2n ** 64n - 1n;

/** Small, large and beyond 2^53, where it is a bigint. */
const count = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.bigInt({ min: SAFE, max: UINT64 }));
/** Beyond 2^53, like every time since 1970: smaller ones read back as plain numbers where nobody knows the field. */
const ns = fc.bigInt({ min: SAFE, max: UINT64 });
/** JSON has no -0; whole floats beyond 2^53 look like counts to whoever does not know the field. */
const float = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .map((value) => (value === 0 || (Number.isInteger(value) && !Number.isSafeInteger(value)) ? 0 : value));

function value(field: Field): fc.Arbitrary<unknown> {
  if (field.name === "schema_version") return fc.constant(F.SCHEMA_VERSION);
  if (field.name === "epoch_count") return fc.constant(16);
  if (field.name === "epoch_id" || field.name === "current_epoch") return fc.nat(15);
  switch (field.type) {
    case "count":
      return count;
    case "count|null":
      return fc.option(count);
    case "integer|null":
      return fc.option(fc.nat());
    case "ns":
      return ns;
    case "integer":
      return fc.integer({ min: Math.max(field.minimum ?? 0, -(2 ** 31)), max: 2 ** 31 - 1 });
    case "float":
      return float;
    case "float|null":
      return fc.option(float);
    case "boolean":
      return fc.boolean();
    default:
      return field.values === undefined ? fc.string({ unit: "binary" }) : fc.constantFrom(...field.values);
  }
}

type Parts = Record<string, fc.Arbitrary<unknown>>;

function row(fields: readonly Field[], parts: Parts = {}): fc.Arbitrary<object> {
  const plain = fields.filter((field) => field.type !== "object").map((field) => [field.name, value(field)]);
  return fc.record({ ...Object.fromEntries(plain), ...parts }, { noNullPrototype: true });
}

const rows = (fields: readonly Field[], parts: Parts = {}) => fc.array(row(fields, parts), { maxLength: 3 });
const named = (item: fc.Arbitrary<unknown>) =>
  fc.dictionary(fc.string(), item, { maxKeys: 3, noNullPrototype: true });

const buckets = fc
  .uniqueArray(fc.tuple(fc.nat(), count), { selector: ([start]) => start, maxLength: 4 })
  .map((pairs) => pairs.sort(([a], [b]) => a - b));
const latency = fc.record(
  Object.fromEntries(F.LATENCY_NAMES.map((name) => [name, row(F.LATENCY_FIELDS, { buckets })])),
  { noNullPrototype: true },
);

const required: Parts = {
  label_registry: fc.record(
    { count: fc.nat(), max_labels: fc.nat(), labels: named(fc.string()) },
    { noNullPrototype: true },
  ),
  classes: rows(F.CLASS_DOCUMENT_FIELDS),
  epochs: rows(F.EPOCH_DOCUMENT_FIELDS, { eras: rows(F.ERA_FIELDS) }),
};
const optional: Parts = {
  heap: row(F.HEAP_FIELDS),
  large: row(F.LARGE_FIELDS),
  workers: rows(F.WORKER_FIELDS),
  last_epoch_close_context: fc.option(row(F.CLOSE_CONTEXT_FIELDS)),
  latency,
  benchmark: named(count),
};

export const documents: fc.Arbitrary<StatsDocument> = fc
  .tuple(row(F.TOP_FIELDS, required), fc.record(optional, { requiredKeys: [], noNullPrototype: true }))
  .map(([always, sometimes]) => ({ ...always, ...sometimes }) as StatsDocument);
