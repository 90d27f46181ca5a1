/** The parts of a stats document: which declared fields stand under which key. */
import type { Field } from "./field.js";
import {
  CLASS_DOCUMENT_FIELDS,
  CLOSE_CONTEXT_FIELDS,
  EPOCH_DOCUMENT_FIELDS,
  ERA_FIELDS,
  HEAP_FIELDS,
  LARGE_FIELDS,
  LATENCY_FIELDS,
  LATENCY_NAMES,
  TOP_FIELDS,
  WORKER_FIELDS,
} from "./fields.js";

export interface Section {
  /** Key in the document or, for `eras`, in an epoch; "" for the document itself. */
  readonly key: string;
  readonly fields: readonly Field[];
  /** How a path to it reads, for people: `classes[]`. */
  readonly path: string;
}

export const SECTIONS: readonly Section[] = [
  { key: "", path: "", fields: TOP_FIELDS },
  { key: "classes", path: "classes[]", fields: CLASS_DOCUMENT_FIELDS },
  { key: "epochs", path: "epochs[]", fields: EPOCH_DOCUMENT_FIELDS },
  { key: "eras", path: "epochs[].eras[]", fields: ERA_FIELDS },
  { key: "heap", path: "heap", fields: HEAP_FIELDS },
  { key: "large", path: "large", fields: LARGE_FIELDS },
  { key: "workers", path: "workers[]", fields: WORKER_FIELDS },
  { key: "last_epoch_close_context", path: "last_epoch_close_context", fields: CLOSE_CONTEXT_FIELDS },
  { key: "latency", path: "latency.*", fields: LATENCY_FIELDS },
];

/** Declared fields by the key their row, or list of rows, stands under. */
export const FIELDS_OF: ReadonlyMap<string, readonly Field[]> = new Map([
  ...SECTIONS.filter(({ key }) => key !== "latency").map(({ key, fields }) => [key, fields] as const),
  ...LATENCY_NAMES.map((name) => [name, LATENCY_FIELDS] as const),
]);
