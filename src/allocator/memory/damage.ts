/** What is answered where words of the metadata lead out of their bounds. */
import { HeapFormatError } from "../errors.js";

/** `what` names the list, the seat or the slab. Nothing was done through the impossible value. */
export function damaged(what: string): never {
  throw new HeapFormatError(`${what}: the heap's metadata was overwritten. Create a new heap.`);
}
