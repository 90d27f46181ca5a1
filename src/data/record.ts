/** Records: objects of a heap with named fields, read and written in place. */
import { checkHeap } from "../threads/index.js";
import { allocIn } from "./place.js";
import { accessor, Cursor } from "./record-fields.js";
import { layoutRecord, type RecordDefinition } from "./record-layout.js";
import type { RecordType, RecordView } from "./record-types.js";

/**
 * Defines a type of record: fields of fixed size at fixed places, for every thread that makes the same definition.
 *
 * Fields lie by alignment, 8 bytes first, then 4, 2 and 1, and in the order of the definition among equals. Numbers are in
 * the machine's byte order and are stored as typed arrays store them (`u8` keeps the low 8 bits). A text has room for a
 * fixed number of bytes of UTF-8; one that does not fit is refused with {@link InvalidValueError}.
 *
 * Throws {@link InvalidTypeError} or {@link InvalidValueError} for a definition with no fields, an unknown type, a length
 * outside 1..65,536, or a name that is no plain identifier or is taken (`handle`, `moveTo`, `toString` ...).
 *
 * @example
 * ```ts
 * const Particle = defineRecord({ x: "f64", y: "f64", id: "u32", alive: "bool", name: ["text", 24], speed: ["f32", 3] });
 * const p = Particle.at(heap, Particle.alloc(heap));
 * p.x += 1;
 * p.name = "muon";
 * p.speed.set(0, 0.5);
 * for (const handle of handles) {
 *   p.moveTo(handle); // the same view, the next record
 *   total += p.x;
 * }
 * ```
 */
export function defineRecord<const D extends RecordDefinition>(definition: D): RecordType<D> {
  const { fields, byteLength } = layoutRecord(definition, (name) => name in Cursor.prototype);
  const arrays = fields.filter(({ kind, length }) => length !== undefined && kind !== "text");
  class View extends Cursor {}
  for (const field of fields) {
    Object.defineProperty(View.prototype, field.name, accessor(field, arrays.indexOf(field)));
  }
  const type: RecordType<D> = {
    byteLength,
    offsets: Object.freeze(
      Object.fromEntries(fields.map(({ name, offset }) => [name, offset])),
    ) as RecordType<D>["offsets"],
    alloc(heap, where) {
      checkHeap("alloc", heap);
      const handle = allocIn("alloc", heap, byteLength, where);
      if (handle !== 0) {
        const at = heap.byteOffset(handle);
        heap.u8.fill(0, at, at + byteLength);
      }
      return handle;
    },
    at(heap, handle) {
      checkHeap("at", heap);
      const view = new View(heap, byteLength, arrays);
      view.moveTo(handle);
      return view as unknown as RecordView<D>;
    },
  };
  return Object.freeze(type);
}
