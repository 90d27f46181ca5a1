/** What no snapshot of a sound heap can say, however many threads were running while it was taken. */

import { describe } from "../../allocator/memory/size-classes.js";
import { toNumber } from "../document/count.js";
import type { StatsDocument } from "../document/document.js";
import type { Field } from "../document/field.js";
import { CLASS_DOCUMENT_FIELDS, HEAP_FIELDS, LARGE_FIELDS, TOP_FIELDS } from "../document/fields.js";
import { isOurs } from "./source.js";

/**
 * One sentence per contradiction, none for a sound document. Figures that threads change one after the other
 * (allocations and frees, live and committed bytes) may disagree in a snapshot and are not compared; neither are times,
 * because somebody may set the clock.
 */
export function contradictions(document: StatsDocument): string[] {
  const found = [
    ...notNumbers("", document, TOP_FIELDS),
    ...document.classes.flatMap((row) => notNumbers(`class ${row.class_index} `, row, CLASS_DOCUMENT_FIELDS)),
  ];
  if (!isOurs(document)) return found;
  const { heap, large, epochs, epoch_count, current_epoch } = document;
  if (heap !== undefined) {
    found.push(...notNumbers("heap ", heap, HEAP_FIELDS));
    const most = (name: string, value: number, limit: string, max: number): void => {
      if (value > max) found.push(`heap ${name} is ${value}, but ${limit} is ${max}`);
    };
    const capacity = toNumber(heap.capacity_bytes);
    most("committed_bytes", toNumber(heap.committed_bytes), "capacity_bytes", capacity);
    most("free_slabs", heap.free_slabs, "slab_count", heap.slab_count);
    // Both are read with the same look at a slab.
    most("warm_slabs", heap.warm_slabs ?? 0, "free_slabs", heap.free_slabs);
    most("resident_bytes", toNumber(heap.resident_bytes ?? 0), "capacity_bytes", capacity);
    most("attached_workers", heap.attached_workers, "max_workers", heap.max_workers);
  }
  if (large !== undefined) found.push(...notNumbers("large ", large, LARGE_FIELDS));
  if (epochs.length !== epoch_count)
    found.push(`${epochs.length} epochs are listed, but epoch_count is ${epoch_count}`);
  if (current_epoch >= epoch_count)
    found.push(`current_epoch is ${current_epoch}, but epoch_count is ${epoch_count}`);
  return found;
}

/** Counts, sizes and times are never negative. */
function notNumbers(where: string, row: object, fields: readonly Field[]): string[] {
  return fields.flatMap(({ name, type }) => {
    const value = (row as Record<string, unknown>)[name];
    if (type === "string" || type === "boolean" || type === "object" || value === null) return [];
    // Written so that NaN fails too.
    const isAmount = (typeof value === "number" || typeof value === "bigint") && value >= 0;
    return isAmount ? [] : [`${where}${name} is ${describe(value)}`];
  });
}
