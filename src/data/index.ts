/** Front door of the data layer: texts and records in shared memory. */
export type { Domain } from "./place.js";
export { defineRecord } from "./record.js";
export type { FieldKind, NumberKind, RecordDefinition } from "./record-layout.js";
export type { ArrayOfKind, FieldArray, RecordType, RecordView } from "./record-types.js";
export { allocText, readText, writeText } from "./text.js";
export { decode, type EncodeResult, encodeInto, textBytes } from "./utf8.js";
