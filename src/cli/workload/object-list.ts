/** Objects a worker holds, as parallel arrays: no JS object per heap object. */
import type { Handle } from "../../index.js";

/** A growable list of (handle, stamped length, sequence). */
export class ObjectList {
  count = 0;
  #handles: Float64Array;
  #lengths: Float64Array;
  #sequences: Int32Array;

  constructor(capacity: number) {
    this.#handles = new Float64Array(capacity);
    this.#lengths = new Float64Array(capacity);
    this.#sequences = new Int32Array(capacity);
  }

  push(handle: Handle, length: number, sequence: number): void {
    if (this.count === this.#handles.length) this.#grow();
    this.#handles[this.count] = handle;
    this.#lengths[this.count] = length;
    this.#sequences[this.count] = sequence;
    this.count++;
  }

  handle(i: number): Handle {
    return this.#handles[i] as Handle;
  }

  length(i: number): number {
    return this.#lengths[i];
  }

  sequence(i: number): number {
    return this.#sequences[i];
  }

  clear(): void {
    this.count = 0;
  }

  #grow(): void {
    const capacity = Math.max(16, this.count * 2);
    const handles = new Float64Array(capacity);
    const lengths = new Float64Array(capacity);
    const sequences = new Int32Array(capacity);
    handles.set(this.#handles);
    lengths.set(this.#lengths);
    sequences.set(this.#sequences);
    this.#handles = handles;
    this.#lengths = lengths;
    this.#sequences = sequences;
  }
}
