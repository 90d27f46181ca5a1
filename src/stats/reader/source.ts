/** What a reader can be opened on, and where it reads. */
import { InvalidTypeError } from "../../allocator/errors.js";
import type { Layout } from "../../allocator/memory/layout.js";
import { describe } from "../../allocator/memory/size-classes.js";
import { openBuffer } from "../../allocator/memory/views.js";

/** A heap, the ref its `share()` gave, or the bare buffer. */
export type ReaderSource = SharedArrayBuffer | { readonly buffer: SharedArrayBuffer };

/** The words of a heap, for looking only. */
export interface HeapWords {
  readonly m: Int32Array;
  readonly layout: Layout;
}

/** Throws {@link InvalidTypeError}, or `HeapFormatError` for a buffer that is no heap of this version. */
export function openWords(source: ReaderSource): HeapWords {
  const given: unknown =
    typeof source === "object" && source !== null && "buffer" in source ? source.buffer : source;
  if (!(given instanceof SharedArrayBuffer)) {
    throw new InvalidTypeError(
      `StatsReader.open: expected a SlabHeap, what share() returned, or a SharedArrayBuffer; got ${describe(source)}.`,
    );
  }
  const layout = openBuffer(given);
  return { m: new Int32Array(given, 0, layout.metadataWords), layout };
}
