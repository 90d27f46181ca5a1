/** What a worker keeps in private between its operations, to put it back before every run. */

import type { Attachment } from "../../../src/allocator/memory/attachment.js";

export type PrivateState = {
  readonly a: Attachment;
  readonly fields: Record<string, unknown>;
  readonly rec: Int32Array;
  readonly depth: Int32Array;
};

export function savePrivate(a: Attachment): PrivateState {
  return { a, fields: { ...a }, rec: a.rec.slice(), depth: a.depth.slice() };
}

export function restorePrivate({ a, fields, rec, depth }: PrivateState): void {
  Object.assign(a, fields);
  a.rec.set(rec);
  a.depth.set(depth);
}
