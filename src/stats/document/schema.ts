/** JSON Schema of the stats document, made from the declared fields. `npm run generate` writes it to a file. */
import { HISTOGRAM_FIELDS } from "../../allocator/counters/fields.js";
import type { Field } from "./field.js";
import {
  CLASS_DOCUMENT_FIELDS,
  CLOSE_CONTEXT_FIELDS,
  EPOCH_DOCUMENT_FIELDS,
  ERA_FIELDS,
  HEAP_FIELDS,
  LARGE_FIELDS,
  LATENCY_FIELDS,
  SCHEMA_VERSION,
  TOP_FIELDS,
  WORKER_FIELDS,
} from "./fields.js";

type Schema = Readonly<Record<string, unknown>>;

const WHOLE = { type: "integer", minimum: 0 };
const OBJECT = { type: "object" };

/**
 * Schema (draft 2020-12) that our documents and both shapes of the C allocator's satisfy. Keys it does not know are
 * allowed everywhere: newer versions add some.
 */
export function statsSchema(): object {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: `urn:temporal-slab:stats-document:${SCHEMA_VERSION}`,
    title: "temporal-slab stats document",
    description:
      "What a heap looked like at one moment. Whole numbers may exceed 2^53 - 1: read them without rounding.",
    ...rowSchema(TOP_FIELDS, {
      schema_version: { const: SCHEMA_VERSION },
      label_registry: {
        ...OBJECT,
        properties: {
          count: WHOLE,
          max_labels: WHOLE,
          labels: { ...OBJECT, additionalProperties: { type: "string" } },
        },
      },
      classes: list(rowSchema(CLASS_DOCUMENT_FIELDS, {}, CONTENTION)),
      epochs: list(rowSchema(EPOCH_DOCUMENT_FIELDS, { eras: list(rowSchema(ERA_FIELDS)) })),
      heap: rowSchema(HEAP_FIELDS),
      large: rowSchema(LARGE_FIELDS),
      workers: list(rowSchema(WORKER_FIELDS)),
      last_epoch_close_context: { ...rowSchema(CLOSE_CONTEXT_FIELDS), type: ["object", "null"] },
      latency: { ...OBJECT, properties: latencies(), additionalProperties: true },
    }),
  };
}

const CONTENTION = {
  contention_by_label: {
    description: "Documents of the C allocator only: counts by label number",
    ...OBJECT,
    additionalProperties: { ...OBJECT, additionalProperties: WHOLE },
  },
};

const list = (items: Schema): Schema => ({ type: "array", items });

function latencies(): Schema {
  const pair = {
    type: "array",
    prefixItems: [{ type: "number", minimum: 0 }, WHOLE],
    items: false,
    minItems: 2,
  };
  const histogram = rowSchema(LATENCY_FIELDS, { buckets: list(pair) });
  return Object.fromEntries(
    HISTOGRAM_FIELDS.map(({ name, help }) => [name, { description: help, ...histogram }]),
  );
}

/** `parts`: what the fields of type "object" hold, and narrower types of others; `extra`: keys without a field. */
function rowSchema(
  fields: readonly Field[],
  parts: Readonly<Record<string, Schema>> = {},
  extra: Schema = {},
): Schema {
  const properties = fields.map((field) => [
    field.name,
    { description: describe(field), ...typeOf(field), ...parts[field.name] },
  ]);
  const required = fields.filter((field) => field.required).map((field) => field.name);
  return {
    ...OBJECT,
    properties: { ...Object.fromEntries(properties), ...extra },
    ...(required.length > 0 && { required }),
    additionalProperties: true,
  };
}

function describe({ help, unit, kind, type }: Field): string {
  if (type === "object") return help;
  const what = unit === "" || unit === "1" ? kind : `${kind}, ${unit}`;
  return `${help} (${what})`;
}

function typeOf(field: Field): Schema {
  switch (field.type) {
    case "count":
    case "ns":
      return WHOLE;
    case "count|null":
    case "integer|null":
      return { type: ["integer", "null"], minimum: field.minimum ?? 0 };
    case "integer":
      return {
        type: "integer",
        minimum: field.minimum ?? 0,
        ...(field.maximum !== undefined && { maximum: field.maximum }),
      };
    case "float":
      return { type: "number" };
    case "float|null":
      return { type: ["number", "null"] };
    case "boolean":
      return { type: "boolean" };
    case "object":
      return {};
    default:
      return field.values === undefined ? { type: "string" } : { type: "string", enum: field.values };
  }
}
