/**
 * What happened between two stats documents: differences of counters, and how much they are per second.
 *
 * Counters only grow, so one that went back belongs to another heap: after a restart everything counts from 0, as in
 * Prometheus' rate(). Gauges of an epoch are compared only while its ring slot holds the same era.
 */
import { InvalidTypeError, InvalidValueError } from "../allocator/errors.js";
import { subtract, toNumber } from "./document/count.js";
import type { EpochStats, LatencyName, LatencyStats, StatsDocument } from "./document/document.js";
import type { Count, Field } from "./document/field.js";
import {
  CLASS_DOCUMENT_FIELDS,
  EPOCH_DOCUMENT_FIELDS,
  HEAP_FIELDS,
  LARGE_FIELDS,
  LATENCY_FIELDS,
  TOP_FIELDS,
  WORKER_FIELDS,
} from "./document/fields.js";

/** A counter between two snapshots. */
export interface Rate {
  readonly delta: Count;
  /** Null when no time passed, or the clock was set back. */
  readonly perSec: number | null;
}

/** A {@link Rate} for each counter of a list of fields. */
export type RatesOf<Fields extends readonly Field[]> = {
  readonly [F in Fields[number] as F["kind"] extends "counter"
    ? F["type"] extends "count"
      ? F["name"]
      : never
    : never]: Rate;
};

/** A gauge, and how much it changed; null where the earlier value was not of the same epoch. */
export interface Change {
  readonly value: Count;
  readonly change: Count | null;
}

/** A {@link Change} for each gauge of a list of fields that is an amount. */
export type ChangesOf<Fields extends readonly Field[]> = {
  readonly [F in Fields[number] as F["kind"] extends "gauge"
    ? F["type"] extends "ns"
      ? never
      : F["name"]
    : never]: Change;
};

export type ClassDelta = RatesOf<typeof CLASS_DOCUMENT_FIELDS> & {
  readonly class_index: number;
  readonly object_size: number;
};

export type WorkerDelta = RatesOf<typeof WORKER_FIELDS> & {
  readonly seat: number;
  readonly incarnation: number;
  readonly state: string;
};

export type EpochDelta = ChangesOf<typeof EPOCH_DOCUMENT_FIELDS> & {
  readonly epoch_id: number;
  readonly epoch_era: number;
  readonly label: string;
  readonly state: string;
  /**
   * same: the epoch that was in the ring slot before; new: none was; advanced: another one was, and as the ring may
   * have gone round several times since, nothing is known of those in between.
   */
  readonly status: "same" | "new" | "advanced";
  /** Era and state of the earlier snapshot's epoch in the slot; null when there was none. */
  readonly previous_era: number | null;
  readonly previous_state: string | null;
};

export type LatencyDelta = RatesOf<typeof LATENCY_FIELDS> & {
  /** [lower bound in ns, durations recorded in between], where any were. */
  readonly buckets: readonly (readonly [startNs: number, count: Count])[];
};

export interface SnapshotDelta {
  /** Time between the snapshots; not above 0 when the clock stood still or was set back. */
  readonly seconds: number;
  /** The second snapshot is of another heap than the first: its counters are counted from 0. */
  readonly restarted: boolean;
  /** What gave the restart away. */
  readonly reason?: string;
  readonly totals: RatesOf<typeof TOP_FIELDS>;
  readonly classes: readonly ClassDelta[];
  /** Ring slots that hold, or held, an epoch in the second snapshot. */
  readonly epochs: readonly EpochDelta[];
  /** These are there when the second snapshot has them. */
  readonly heap?: RatesOf<typeof HEAP_FIELDS>;
  readonly large?: RatesOf<typeof LARGE_FIELDS>;
  readonly workers?: readonly WorkerDelta[];
  readonly latency?: Readonly<Record<LatencyName, LatencyDelta>>;
}

/**
 * The same, but undefined for documents of one heap in the wrong order: a clock was set back, or the older one came late.
 * Nothing can be said of the interval then, but everything of each document.
 *
 * @throws {@link InvalidTypeError} when one is no stats document
 */
export function deltaInOrder(before: StatsDocument, after: StatsDocument): SnapshotDelta | undefined {
  try {
    return snapshotDelta(before, after);
  } catch (error) {
    if (error instanceof InvalidValueError) return undefined;
    throw error;
  }
}

/**
 * The difference of two documents, `before` being the older one.
 *
 * @throws {@link InvalidValueError} when they are of one heap and in the wrong order; {@link InvalidTypeError} when one
 * is no stats document
 */
export function snapshotDelta(before: StatsDocument, after: StatsDocument): SnapshotDelta {
  checkDocument(before, "first");
  checkDocument(after, "second");
  const seconds = Number(after.timestamp_ns - before.timestamp_ns) / 1e9;
  const reason = restartReason(before, after, seconds);
  const old = reason === undefined ? before : undefined;
  const { heap, large, workers, latency } = after;
  const oldClasses = byKey(old?.classes, (row) => row.class_index);
  const oldWorkers = byKey(old?.workers, (row) => row.seat);
  const oldEpochs = byKey(old?.epochs, (row) => row.epoch_id);
  return {
    seconds,
    restarted: reason !== undefined,
    ...(reason !== undefined && { reason }),
    totals: rates(TOP_FIELDS, after, old, seconds),
    classes: after.classes.map((row) => ({
      class_index: row.class_index,
      object_size: row.object_size,
      ...rates(CLASS_DOCUMENT_FIELDS, row, oldClasses.get(row.class_index), seconds),
    })),
    epochs: after.epochs
      .filter((epoch) => epoch.opened)
      .map((epoch) => epochDelta(epoch, oldEpochs.get(epoch.epoch_id))),
    ...(heap !== undefined && { heap: rates(HEAP_FIELDS, heap, old?.heap, seconds) }),
    ...(large !== undefined && { large: rates(LARGE_FIELDS, large, old?.large, seconds) }),
    ...(workers !== undefined && {
      workers: workers.map((row) => ({
        seat: row.seat,
        incarnation: row.incarnation,
        state: row.state,
        ...rates(WORKER_FIELDS, row, oldWorkers.get(row.seat), seconds),
      })),
    }),
    ...(latency !== undefined && { latency: latencyDeltas(latency, old?.latency, seconds) }),
  };
}

function checkDocument(document: StatsDocument, which: string): void {
  if (typeof document?.timestamp_ns === "bigint" && Array.isArray(document.classes)) return;
  throw new InvalidTypeError(
    `the ${which} snapshot is no stats document: pass JSON through readStats() first`,
  );
}

// -- Restarts ------------------------------------------------------------------------------------------------

/** Why the documents cannot be of one heap; undefined when they can. */
function restartReason(before: StatsDocument, after: StatsDocument, seconds: number): string | undefined {
  const id = after.heap?.id;
  if (before.heap?.id !== id) return "heap.id differs";
  const backwards = steppedBack(before, after);
  if (id !== undefined && seconds < 0) {
    // Both are of this heap, so either the arguments are swapped or the clock was set back. Only the former takes
    // counters with it.
    if (backwards === undefined) return undefined;
    throw new InvalidValueError(
      `the second snapshot is ${-seconds} s older than the first one of the same heap (${backwards}): swap them`,
    );
  }
  // The C allocator's documents do not say which heap they are of.
  if (id === undefined && before.pid !== after.pid && before.pid > 0 && after.pid > 0) return "pid differs";
  if (seconds < 0) return "timestamp_ns went back";
  return backwards;
}

/** What went back although it only grows, or is not there any more. */
function steppedBack(before: StatsDocument, after: StatsDocument): string | undefined {
  const classes = byKey(after.classes, (row) => row.class_index);
  const workers = byKey(after.workers, (row) => row.seat);
  const epochs = byKey(after.epochs, (row) => row.epoch_id);
  if (before.classes.length !== after.classes.length) return "the number of size classes differs";
  for (const row of before.classes) {
    const now = classes.get(row.class_index);
    if (now?.object_size !== row.object_size) return `size class ${row.class_index} differs`;
  }
  const era = before.epochs.find((row) => (epochs.get(row.epoch_id)?.epoch_era ?? Infinity) < row.epoch_era);
  if (era !== undefined) return `the era of epoch ${era.epoch_id} went back`;

  const lost =
    lostCounter(TOP_FIELDS, before, after, "") ??
    lostCounter(HEAP_FIELDS, before.heap, after.heap, "heap.") ??
    lostCounter(LARGE_FIELDS, before.large, after.large, "large.") ??
    firstOf(before.classes, (row) =>
      lostCounter(
        CLASS_DOCUMENT_FIELDS,
        row,
        classes.get(row.class_index),
        `size class ${row.class_index}: `,
      ),
    ) ??
    firstOf(before.workers ?? [], (row) =>
      lostCounter(WORKER_FIELDS, row, workers.get(row.seat), `seat ${row.seat}: `),
    ) ??
    firstOf(Object.entries(before.latency ?? {}), ([name, row]) =>
      lostCounter(LATENCY_FIELDS, row, after.latency?.[name as LatencyName], `latency.${name}.`),
    );
  return lost === undefined ? undefined : `${lost} went back`;
}

function lostCounter(
  fields: readonly Field[],
  before: object | undefined,
  after: object | undefined,
  prefix: string,
): string | undefined {
  if (before === undefined || after === undefined) return undefined;
  const lost = fields.find(
    (field) => isCounter(field) && countIn(after, field.name) < countIn(before, field.name),
  );
  return lost === undefined ? undefined : prefix + lost.name;
}

function firstOf<Item, Found>(
  items: readonly Item[],
  look: (item: Item) => Found | undefined,
): Found | undefined {
  for (const item of items) {
    const found = look(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

// -- Differences ---------------------------------------------------------------------------------------------

const isCounter = (field: Field): boolean => field.kind === "counter" && field.type === "count";
const isAmount = (field: Field): boolean => field.kind === "gauge" && field.type !== "ns";
const countIn = (row: object, name: string): Count => (row as Readonly<Record<string, Count>>)[name] as Count;

function byKey<Row>(rows: readonly Row[] | undefined, key: (row: Row) => number): ReadonlyMap<number, Row> {
  return new Map((rows ?? []).map((row) => [key(row), row]));
}

/** `before` undefined: from 0. */
function rates<const Fields extends readonly Field[]>(
  fields: Fields,
  after: object,
  before: object | undefined,
  seconds: number,
): RatesOf<Fields> {
  const entries = fields.filter(isCounter).map(({ name }) => {
    const delta = subtract(countIn(after, name), before === undefined ? 0 : countIn(before, name));
    return [name, { delta, perSec: seconds > 0 ? toNumber(delta) / seconds : null }];
  });
  return Object.fromEntries(entries) as RatesOf<Fields>;
}

function epochDelta(after: EpochStats, before: EpochStats | undefined): EpochDelta {
  const previous = before?.opened === true ? before : undefined;
  const isSame = previous?.epoch_era === after.epoch_era;
  const changes = EPOCH_DOCUMENT_FIELDS.filter(isAmount).map(({ name }) => {
    const value = countIn(after, name);
    return [
      name,
      { value, change: isSame ? difference(value, countIn(previous as EpochStats, name)) : null },
    ];
  });
  return {
    epoch_id: after.epoch_id,
    epoch_era: after.epoch_era,
    label: after.label,
    state: after.state,
    status: previous === undefined ? "new" : isSame ? "same" : "advanced",
    previous_era: previous?.epoch_era ?? null,
    previous_state: previous?.state ?? null,
    ...(Object.fromEntries(changes) as ChangesOf<typeof EPOCH_DOCUMENT_FIELDS>),
  };
}

/** Ages have fractions, which counts have not. */
function difference(after: Count, before: Count): Count {
  if (typeof after === "number" && typeof before === "number") return after - before;
  return subtract(after, before);
}

function latencyDeltas(
  after: Readonly<Record<LatencyName, LatencyStats>>,
  before: Readonly<Record<LatencyName, LatencyStats>> | undefined,
  seconds: number,
): Readonly<Record<LatencyName, LatencyDelta>> {
  const entries = Object.entries(after).map(([name, now]) => {
    const old = before?.[name as LatencyName];
    const counts = new Map(old?.buckets);
    const buckets = now.buckets
      .map(([start, count]) => [start, subtract(count, counts.get(start) ?? 0)] as const)
      .filter(([, count]) => count !== 0);
    return [name, { ...rates(LATENCY_FIELDS, now, old, seconds), buckets }];
  });
  return Object.fromEntries(entries) as Readonly<Record<LatencyName, LatencyDelta>>;
}
