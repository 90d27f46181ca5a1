/** The reference of the stats document as Markdown, made from the declared fields. `npm run generate` writes it. */
import {
  CLASS_FIELDS,
  type CounterField,
  EPOCH_FIELDS,
  HISTOGRAM_BUCKETS,
  HISTOGRAM_FIELDS,
  SEAT_FIELDS,
} from "../../allocator/counters/fields.js";
import { bucketStart } from "../../allocator/counters/histogram.js";
import type { Field } from "./field.js";
import { SCHEMA_VERSION } from "./fields.js";
import { metricsOf, skipReason } from "./metrics.js";
import { SECTIONS, type Section } from "./sections.js";

const TITLES: Readonly<Record<string, string>> = {
  "": "The document",
  classes: "Size classes",
  epochs: "Epochs",
  eras: "Eras of a ring slot",
  heap: "The heap",
  large: "Large objects",
  workers: "Threads",
  last_epoch_close_context: "The latest close",
  latency: "Latencies",
};

export function statsReference(): string {
  const sections = SECTIONS.map((section) => {
    const { key, path } = section;
    const where = path === "" ? "" : `\`${path}\`\n\n`;
    const more = key === "latency" ? `\n${histograms()}` : "";
    return `## ${TITLES[key]}\n\n${where}${fieldTable(section)}${more}`;
  });
  return [INTRODUCTION, ...sections, OTHERS, cells()].join("\n");
}

const INTRODUCTION = `# Stats reference

<!-- Made by \`npm run generate\` from src/stats/document/fields.ts and its neighbours: edit those. -->

Every key of a stats document, schema version ${SCHEMA_VERSION}. The same as JSON Schema (draft 2020-12):
\`temporal-slab/stats-document.schema.json\`.

**Types.** *count*: whole number, at least 0. *integer*: small whole number. *ns*: nanoseconds since 1970. *float*:
number with a fraction. *...|null*: or null where it is not known. *object*: described in a section of its own.

**Kinds.** *counter*: never goes back while the heap lives. *gauge*: may. *ratio*: follows from other fields. *info*:
names or configures.

**In C.** Keys that the documents of the C allocator have too. Keys without *required* may be missing, in particular
there; they then read as 0, \`""\`, false, null or an empty list. Keys not listed here are ignored.

**Metric.** Its name in Prometheus, behind \`temporal_slab_\`; \`*\` stands for the histograms of
[metrics.md](metrics.md), which describes all of them.

**Large integers.** Whole numbers are written as plain digits, however large: \`timestamp_ns\` always exceeds 2^53, up to
which JavaScript's \`JSON.parse\` and jq before 1.7 are exact. This package's reader makes a \`bigint\` of
\`timestamp_ns\` and other \`ns\` fields, and of a count beyond 2^53 - 1; all other numbers are plain ones.
`;

function fieldTable(section: Section): string {
  return table(
    ["Key", "Type", "Kind", "Unit", "In C", "Meaning", "Metric"],
    section.fields.map((field) => [
      `\`${field.name}\``,
      field.required ? `${field.type}, required` : field.type,
      field.kind,
      unitOf(field.unit),
      field.inC ? "yes" : "no",
      field.help,
      metricText(section, field),
    ]),
  );
}

/** Without the prefix; for those that have none, why. */
function metricText(section: Section, field: Field): string {
  const reason = skipReason(section, field);
  if (reason !== undefined) return `none: ${reason}`;
  const names = metricsOf(section, field).map(({ name, fixed }) => {
    const labels = Object.entries(fixed).map(([label, value]) => `${label}="${value}"`);
    return labels.length === 0 ? `\`${name}\`` : `\`${name}{${labels.join()}}\``;
  });
  return names.join(", ");
}

const unitOf = (unit: string): string => (unit === "1" ? "" : unit);

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (columns: readonly string[]): string =>
    `| ${columns.map((text) => text.replaceAll("|", "\\|")).join(" | ")} |\n`;
  return line(head) + line(head.map(() => "---")) + rows.map(line).join("");
}

const PER_OCTAVE = 4;

function histograms(): string {
  const names = table(
    ["Histogram", "Durations"],
    HISTOGRAM_FIELDS.map(({ name, help }) => [`\`${name}\``, help]),
  );
  const octaves = Array.from({ length: HISTOGRAM_BUCKETS / PER_OCTAVE }, (_, octave) =>
    Array.from({ length: PER_OCTAVE }, (_, i) => String(bucketStart(octave * PER_OCTAVE + i))),
  );
  return `${names}
### Buckets

Every heap has the same ${HISTOGRAM_BUCKETS} buckets, ${PER_OCTAVE} to an octave, so histograms add up bucket by bucket. A bucket holds
durations from its lower bound up to the next one; the last one also holds everything longer. \`buckets\` lists
[lower bound, count] of those that are not empty, ascending. All lower bounds, in nanoseconds:

${table(["", "", "", ""], octaves)}`;
}

const OTHERS = `## Other keys

| Key | Meaning |
| --- | --- |
| \`label_registry.count\` | Labels in the registry, "(unlabeled)" included |
| \`label_registry.max_labels\` | Most labels it holds |
| \`label_registry.labels\` | Label by number; 0 is "(unlabeled)" |
| \`classes[].contention_by_label\` | Documents of the C allocator only: a counter's name, then counts by label number |
| \`benchmark\` | Figures of a benchmark run. The C allocator's synthetic_bench writes them as \`benchmark_*\` beside the other keys |

The second shape of the C allocator's documents, the file of its synthetic_bench, has a row per size class and ring slot
in \`epochs\`. The reader folds them into one entry per ring slot, whose \`eras\` are the rows.
`;

function cells(): string {
  const cellTable = (fields: readonly CounterField[]): string =>
    table(
      ["Counter", "Unit", "Meaning"],
      fields.map(({ name, unit, help }) => [`\`${name}\``, unitOf(unit), help]),
    );
  return `## Counters in the buffer

What each thread counts for itself, in cells of the shared buffer that outlive it. Documents show their sums.

### Per thread and size class, and for large objects

${cellTable(CLASS_FIELDS)}
### Per thread and ring slot

${cellTable(EPOCH_FIELDS)}
### Per thread

${cellTable(SEAT_FIELDS)}`;
}
