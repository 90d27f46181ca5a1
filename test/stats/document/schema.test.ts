/**
 * Defends: the JSON Schema takes our documents and both shapes of the C allocator's, asks for the same keys as the reader,
 * and refuses what the reader refuses; the files made from the field lists are those in the repository.
 * Method: a real validator (ajv, strict) over documents by hand and arbitrary ones, as JSON.parse reads them because ajv
 * takes no bigints; one wrong value per declared field; the generators run again and compared with the files.
 */
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Field } from "../../../src/stats/document/field.js";
import { stringifyStats } from "../../../src/stats/document/json.js";
import { readStats } from "../../../src/stats/document/parse.js";
import { statsReference } from "../../../src/stats/document/reference.js";
import { statsSchema } from "../../../src/stats/document/schema.js";
import { SECTIONS } from "../../../src/stats/document/sections.js";
import { documents } from "./arbitrary.js";
import { benchFile, ourDocument, statsDump } from "./fixtures.js";

type Row = Record<string, unknown>;

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
const validate = ajv.compile(statsSchema());

/** What is wrong with the document as text, in the validator's words. */
function faults(document: object): string[] {
  validate(JSON.parse(stringifyStats(document as never)));
  return (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
}

describe("the schema", () => {
  test("is a schema of its draft", () => {
    expect(ajv.validateSchema(statsSchema())).toBe(true);
  });

  test("takes documents of all kinds", () => {
    expect(faults(ourDocument())).toEqual([]);
    expect(faults({ ...ourDocument(), last_epoch_close_context: null, newer: {} })).toEqual([]);
    for (const source of [statsDump(), benchFile()]) {
      expect(faults(source)).toEqual([]);
      expect(faults(readStats(source))).toEqual([]);
    }
  });

  test("takes whatever the writer may write", () => {
    fc.assert(
      fc.property(documents, (document) => {
        expect(faults(document)).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });

  test("refuses other versions, wrong lists and wrong buckets", () => {
    const document = ourDocument();
    expect(faults({ ...document, schema_version: 2 })).toEqual(["/schema_version must be equal to constant"]);
    expect(faults({ ...document, classes: {} })).toEqual(["/classes must be array"]);
    expect(faults({ ...document, heap: null })).toEqual(["/heap must be object"]);
    expect(faults({ ...document, label_registry: { labels: { 1: 5 } } })).toEqual([
      "/label_registry/labels/1 must be string",
    ]);
    const latency = (bucket: unknown) => ({ ...document, latency: { alloc: { buckets: [bucket] } } });
    expect(faults(latency([1, 5]))).toEqual([]);
    for (const bucket of [[1], [1, 2, 3], [1, -1], 5]) expect(faults(latency(bucket))).toHaveLength(1);
  });

  const rows = SECTIONS.flatMap(({ key, fields }) =>
    fields.filter(({ type }) => type !== "object").map((field) => ({ key, field })),
  );
  test.each(rows)("knows $key $field.name", ({ key, field }) => {
    const at = (change: (row: Row) => void): string[] => {
      const document = JSON.parse(stringifyStats(ourDocument())) as Row;
      const epoch = (document.epochs as Row[])[12] as Row;
      const within: Record<string, unknown> = { "": document, epochs: epoch, eras: epoch.eras };
      const found = within[key] ?? (key === "latency" ? (document.latency as Row).alloc : document[key]);
      change((Array.isArray(found) ? found[0] : found) as Row);
      return faults(document);
    };
    const wrong = wrongFor(field);
    expect(at((row) => (row[field.name] = wrong))).toEqual([
      expect.stringContaining(`/${field.name} must be`),
    ]);
    const missing = at((row) => delete row[field.name]);
    const message = `must have required property '${field.name}'`;
    expect(missing).toEqual(field.required ? [expect.stringContaining(message)] : []);
  });
});

/** Of the wrong type, and where the type alone would do, out of range. */
function wrongFor({ name, type, minimum = 0, values }: Field): unknown {
  if (name === "schema_version") return 3;
  if (values !== undefined) return "OPEN";
  if (type === "integer" && minimum > Number.MIN_SAFE_INTEGER) return minimum - 1;
  if (type === "count" || type === "ns") return -1;
  return type === "string" ? 5 : "x";
}

describe("generated files are up to date (else: npm run generate)", () => {
  const file = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");

  test("schema/stats-document.schema.json", () => {
    expect(JSON.parse(file("schema/stats-document.schema.json"))).toEqual(statsSchema());
  });

  test("docs/stats-reference.md", () => {
    expect(file("docs/stats-reference.md")).toBe(statsReference());
  });
});

test("the reference names every field, and shows it in one row of its table", () => {
  const text = statsReference();
  for (const { path, fields } of SECTIONS) {
    const [, section = ""] = path === "" ? ["", text] : text.split(`\n\`${path}\`\n`);
    const table = section.split("\n## ")[path === "" ? 1 : 0] as string;
    for (const field of fields) {
      expect(table.split("\n").filter((line) => line.startsWith(`| \`${field.name}\` |`))).toHaveLength(1);
    }
  }
  for (const line of text.split("\n").filter((text) => text.startsWith("| "))) {
    expect(line).toMatch(/^\| .* \|$/);
  }
});
