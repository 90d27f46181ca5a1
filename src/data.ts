/** `temporal-slab/data`: texts and records of fixed layout in the shared memory of a heap. */
export {
  HeapDetachedError,
  InvalidTypeError,
  InvalidValueError,
  StaleHandleError,
  TemporalSlabError,
} from "./allocator/index.js";
export {
  type ArrayOfKind,
  allocText,
  type Domain,
  decode,
  defineRecord,
  type EncodeResult,
  encodeInto,
  type FieldArray,
  type FieldKind,
  type NumberKind,
  type RecordDefinition,
  type RecordType,
  type RecordView,
  readText,
  textBytes,
  writeText,
} from "./data/index.js";
