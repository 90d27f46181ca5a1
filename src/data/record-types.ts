/** What `defineRecord` makes of a definition, as types. */
import type { EpochId, Handle, SlabHeap } from "../allocator/index.js";
import type { Domain } from "./place.js";
import type { NumberKind, RecordDefinition } from "./record-layout.js";

/** The heap's typed arrays by the kind of their elements. */
export interface ArrayOfKind {
  readonly f64: Float64Array;
  readonly f32: Float32Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly i16: Int16Array;
  readonly u16: Uint16Array;
  readonly i8: Int8Array;
  readonly u8: Uint8Array;
}

/** An array field of a record: it moves with the record, without garbage. */
export interface FieldArray<K extends NumberKind> {
  readonly length: number;
  /** Element `index`. Throws {@link InvalidValueError} outside 0..length-1. */
  get(index: number): number;
  /** Stores `value` as a typed array does. Throws {@link InvalidValueError} outside 0..length-1. */
  set(index: number, value: number): void;
  /** The elements where the record is now, as a new typed array on the shared bytes, which does not move with it. */
  view(): ArrayOfKind[K];
}

type FieldValue<K> = K extends NumberKind
  ? number
  : K extends "bool"
    ? boolean
    : K extends readonly ["text", number]
      ? string
      : never;

/**
 * A look at one record in the shared bytes, which can be moved from record to record. Fields are plain properties: reading
 * one reads the bytes, assigning writes them, with no atomicity beyond single numbers. For use in one thread.
 *
 * It is as unguarded as a view: the handle is checked by `at` and `moveTo` only. When the object has ended since, fields
 * show and change whatever lives there now, never the allocator's own data.
 */
export type RecordView<D extends RecordDefinition> = {
  -readonly [Name in keyof D as FieldValue<D[Name]> extends never ? never : Name]: FieldValue<D[Name]>;
} & {
  readonly [Name in keyof D as D[Name] extends readonly [NumberKind, number]
    ? Name
    : never]: D[Name] extends readonly [infer K extends NumberKind, number] ? FieldArray<K> : never;
} & {
  /** Handle of the record this view is at. */
  readonly handle: Handle;
  /**
   * Goes to another record of the same heap and type. Throws {@link StaleHandleError}, or {@link InvalidValueError} for
   * an object too small to be one; the view stays where it was then.
   */
  moveTo(handle: Handle): void;
};

/** What {@link defineRecord} returns. Not tied to a heap: each thread defines the same fields. */
export interface RecordType<D extends RecordDefinition> {
  /** Bytes of a record, a multiple of its widest number. */
  readonly byteLength: number;
  /** Byte offset of each field from the start of the record. */
  readonly offsets: { readonly [Name in keyof D]: number };
  /**
   * Allocates a record, all fields 0, false or empty. Returns NULL_HANDLE, as `heap.alloc` does, when the heap is full or
   * the epoch is not open. `where`: the ring slot of an epoch (default: the current one), or a domain of the same heap.
   * From any attached thread.
   */
  alloc(heap: SlabHeap, where?: EpochId | Domain): Handle;
  /**
   * A view of the record that `handle` names. It makes garbage: to walk many records, keep one view and `moveTo` each.
   * Throws {@link StaleHandleError}, or {@link InvalidValueError} for an object too small to be such a record.
   */
  at(heap: SlabHeap, handle: Handle): RecordView<D>;
}
