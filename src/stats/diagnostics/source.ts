/** What the diagnostics read: a snapshot, or anything that takes one. */
import { InvalidTypeError } from "../../allocator/errors.js";
import { describe } from "../../allocator/memory/size-classes.js";
import type { EpochStats, StatsDocument } from "../document/document.js";

/** A stats document, or an object that makes one, such as a `StatsReader`. */
export type StatsSource = StatsDocument | { snapshot(): StatsDocument };

/** The document itself. Throws {@link InvalidTypeError} for anything that is none; what `snapshot()` throws passes through. */
export function documentOf(source: StatsSource, name = "source"): StatsDocument {
  const document = hasSnapshot(source) ? source.snapshot() : source;
  if (!isDocument(document)) {
    throw new InvalidTypeError(
      `${name} must be a stats document (JSON text goes through readStats() first) ` +
        `or have a snapshot() that returns one; got ${describe(document)}.`,
    );
  }
  return document;
}

export function hasSnapshot(source: unknown): source is { snapshot(): StatsDocument } {
  return (
    typeof source === "object" &&
    source !== null &&
    "snapshot" in source &&
    typeof source.snapshot === "function"
  );
}

/** JSON.parse makes `timestamp_ns` a rounded number and leaves missing keys out: only real documents have a bigint. */
export function isDocument(value: unknown): value is StatsDocument {
  if (typeof value !== "object" || value === null) return false;
  const { timestamp_ns, classes, epochs } = value as Partial<StatsDocument>;
  return typeof timestamp_ns === "bigint" && Array.isArray(classes) && Array.isArray(epochs);
}

/** Documents of the C allocator say nothing about the heap as a whole. */
export function isOurs(document: StatsDocument): boolean {
  return document.heap !== undefined;
}

/** Closed after having been open. */
export function isClosed(epoch: EpochStats): boolean {
  return epoch.state === "CLOSING" && epoch.opened;
}
