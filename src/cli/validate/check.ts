/** What the schema says about a text, what the reader says, and what it lacks. Nothing here reads or writes anything. */
import { Ajv2020 } from "ajv/dist/2020.js";
import {
  parseJsonExact,
  readStats,
  STATS_SECTIONS,
  type StatsDocument,
  statsSchema,
  TemporalSlabError,
} from "../../stats.js";
import { formatCount } from "../format.js";
import { withoutMark } from "../sources/index.js";

export interface Problem {
  /** JSON pointer to the value: `/classes/3/object_size`; "" is the document. */
  readonly pointer: string;
  readonly message: string;
}

export type Shape = "temporal-slab" | "c-stats-dump" | "c-synthetic-bench" | "unknown";

/** Declared keys that no row at the path has. */
export interface MissingKeys {
  readonly path: string;
  readonly names: readonly string[];
}

export interface Verdict {
  readonly valid: boolean;
  readonly shape: Shape;
  readonly problems: readonly Problem[];
  readonly missing: readonly MissingKeys[];
  /** What the reader puts right in documents of the C allocator. */
  readonly repairs: readonly Problem[];
}

type Row = Readonly<Record<string, unknown>>;

export function checkText(text: string): Verdict {
  const content = withoutMark(text);
  let value: unknown;
  try {
    value = parseJsonExact(content);
  } catch (error) {
    return refused("unknown", [asProblem(error)]);
  }
  const shape = shapeOf(value);
  const problems = schemaProblems(content);
  if (problems.length > 0) return refused(shape, problems);
  let document: StatsDocument;
  try {
    document = readStats(value);
  } catch (error) {
    // The schema cannot say everything: an epoch's number against their count, say.
    return refused(shape, [asProblem(error)]);
  }
  const source = value as Row;
  const isOurs = shape === "temporal-slab";
  return {
    valid: true,
    shape,
    problems: [],
    missing: missingKeys(source),
    repairs: isOurs ? [] : repairsOf(source, document, shape),
  };
}

const refused = (shape: Shape, problems: readonly Problem[]): Verdict => ({
  valid: false,
  shape,
  problems,
  missing: [],
  repairs: [],
});

/** The reader names the key in front; it is part of its message here. */
function asProblem(error: unknown): Problem {
  if (error instanceof TemporalSlabError) return { pointer: "", message: error.message };
  throw error;
}

function shapeOf(value: unknown): Shape {
  if (!isRow(value)) return "unknown";
  if (value.slab_bytes !== undefined) return "temporal-slab";
  if (!Array.isArray(value.classes)) return "unknown";
  const [first] = rowsAt(value, "epochs");
  return first?.class_index === undefined ? "c-stats-dump" : "c-synthetic-bench";
}

const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(statsSchema());

/** The validator takes no bigints, so it gets the numbers as JSON.parse rounds them: whole ones stay whole. */
function schemaProblems(text: string): Problem[] {
  if (validate(JSON.parse(text))) return [];
  return (validate.errors ?? []).map(({ instancePath, message = "is wrong", params }) => ({
    pointer: instancePath,
    message: `${message}${allowedValues(params)}`,
  }));
}

function allowedValues(params: Row): string {
  const { allowedValue, allowedValues } = params;
  if (allowedValue !== undefined) return ` ${JSON.stringify(allowedValue)}`;
  return Array.isArray(allowedValues)
    ? ` ${allowedValues.map((value) => JSON.stringify(value)).join(", ")}`
    : "";
}

function missingKeys(source: Row): MissingKeys[] {
  const found: MissingKeys[] = [];
  for (const { key, path, fields } of STATS_SECTIONS) {
    const rows = key === "" ? [source] : key === "eras" ? [] : rowsAt(source, key);
    if (rows.length === 0) continue;
    const names = fields
      .map(({ name }) => name)
      .filter((name) => rows.every((row) => row[name] === undefined));
    if (names.length > 0) found.push({ path, names });
  }
  return found;
}

/** Compares what was written with what the reader made of it. */
function repairsOf(source: Row, document: StatsDocument, shape: Shape): Problem[] {
  const found: Problem[] = [];
  const changed = (pointer: string, before: unknown, after: unknown, why: string): void => {
    if (before !== undefined && BigInt(before as number) !== BigInt(after as number)) {
      found.push({ pointer, message: `${before} read as ${after}: ${why}` });
    }
  };
  changed(
    "/current_epoch",
    source.current_epoch,
    document.current_epoch,
    "the counter goes on past the ring",
  );
  changed("/net_slabs", source.net_slabs, document.net_slabs, "slabs in the lists are counted instead");
  changed(
    "/active_epoch_count",
    source.active_epoch_count,
    document.active_epoch_count,
    "unopened slots read ACTIVE",
  );
  rowsAt(source, "classes").forEach((row, i) => {
    const why = "more were recycled than new, so the lists are counted";
    changed(`/classes/${i}/net_slabs`, row.net_slabs, document.classes[i]?.net_slabs ?? 0, why);
  });
  const rows = rowsAt(source, "epochs");
  if (shape === "c-synthetic-bench") {
    const message = `${formatCount(rows.length)} rows by class folded into ${document.epochs.length} by ring slot`;
    return [...found, { pointer: "/epochs", message }];
  }
  rows.forEach((row, i) => {
    const epoch = document.epochs[i];
    const name = "total_reclaimable_slabs";
    changed(`/epochs/${i}/${name}`, row[name], epoch?.[name] ?? 0, "the count went below zero");
  });
  return found;
}

const isRow = (value: unknown): value is Row =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The row, or the rows, under a key of the document. */
function rowsAt(source: Row, key: string): readonly Row[] {
  const found = source[key];
  const values: readonly unknown[] =
    key === "latency" && isRow(found) ? Object.values(found) : Array.isArray(found) ? found : [found];
  return values.filter(isRow);
}
