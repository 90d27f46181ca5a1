/**
 * A place in the shared bytes that moves from record to record, and accessors that make its fields properties.
 *
 * Speed. A field costs what `heap.f64[index]` costs because each accessor is a closure over one constant, the field's
 * index, and V8 inlines it at its call site. What that takes, and `bench/records.mjs` shows:
 *   - one function literal per number type: closures of one literal share what V8 learned about it, and a shared one
 *     would see eight kinds of typed array
 *   - the heap's own typed arrays, in fields of the cursor: all of the same layout, never a new array
 *   - the record's place in units of 8 bytes, scaled up as needed: a small integer for any heap, and no division
 */
import {
  describeValue,
  type Handle,
  InvalidTypeError,
  InvalidValueError,
  type SlabHeap,
} from "../allocator/index.js";
import { bytesOf, type Field, type NumberKind } from "./record-layout.js";
import type { ArrayOfKind } from "./record-types.js";
import { checkText, decodeAt, encodePrivately, isShortAscii, writeAscii } from "./utf8.js";

/** What all record views have: the heap's arrays and a place. Each type of record adds its fields to a subclass. */
export class Cursor {
  readonly _heap: SlabHeap;
  readonly _f64: Float64Array;
  readonly _f32: Float32Array;
  readonly _i32: Int32Array;
  readonly _u32: Uint32Array;
  readonly _i16: Int16Array;
  readonly _u16: Uint16Array;
  readonly _i8: Int8Array;
  readonly _u8: Uint8Array;
  readonly _bytes: number;
  readonly _arrays: readonly Elements[];
  /** Start of the record in units of 8 bytes: objects begin at multiples of 8. */
  _at = 0;
  _handle = 0 as Handle;

  constructor(heap: SlabHeap, bytes: number, arrays: readonly Field[]) {
    this._heap = heap;
    this._f64 = heap.f64;
    this._f32 = heap.f32;
    this._i32 = heap.i32;
    this._u32 = heap.u32;
    this._i16 = heap.i16;
    this._u16 = heap.u16;
    this._i8 = heap.i8;
    this._u8 = heap.u8;
    this._bytes = bytes;
    this._arrays = arrays.map((field) => new Elements(this, field));
  }

  get handle(): Handle {
    return this._handle;
  }

  moveTo(handle: Handle): void {
    const heap = this._heap;
    const at = heap.byteOffset(handle);
    const size = heap.sizeOf(handle);
    if (size < this._bytes) {
      throw new InvalidValueError(
        `moveTo: handle must name an object of at least ${this._bytes} bytes, the size of the record; ${handle} names one of ${size}.`,
      );
    }
    this._at = at / 8;
    this._handle = handle;
  }
}

/** An array field of one cursor. */
class Elements {
  readonly length: number;
  private readonly cursor: Cursor;
  private readonly array: ArrayOfKind[NumberKind];
  private readonly perUnit: number;
  private readonly first: number;

  constructor(cursor: Cursor, { kind, length, offset }: Field) {
    this.cursor = cursor;
    this.array = cursor[`_${kind as NumberKind}`];
    this.perUnit = 8 / this.array.BYTES_PER_ELEMENT;
    this.first = offset / this.array.BYTES_PER_ELEMENT;
    this.length = length as number;
  }

  get(index: number): number {
    if (index >>> 0 !== index || index >= this.length) this.refuse("get", index);
    return this.array[this.cursor._at * this.perUnit + this.first + index] as number;
  }

  set(index: number, value: number): void {
    if (index >>> 0 !== index || index >= this.length) this.refuse("set", index);
    this.array[this.cursor._at * this.perUnit + this.first + index] = value;
  }

  view(): ArrayOfKind[NumberKind] {
    const first = this.cursor._at * this.perUnit + this.first;
    return this.array.subarray(first, first + this.length);
  }

  private refuse(method: string, index: unknown): never {
    const range = `a whole number from 0 to ${this.length - 1}`;
    if (typeof index !== "number") {
      throw new InvalidTypeError(`${method}: index must be ${range}; got ${describeValue(index)}.`);
    }
    throw new InvalidValueError(`${method}: index must be ${range}; got ${index}.`);
  }
}

interface Accessor {
  get(this: Cursor): unknown;
  set?(this: Cursor, value: never): void;
}

/** Accessors of a single value, by its index from the start of the record in elements of its own width. */
const SINGLE: { readonly [kind in NumberKind | "bool"]: (k: number) => Accessor } = {
  f64: (k) => ({
    get() {
      return this._f64[this._at + k];
    },
    set(value: number) {
      this._f64[this._at + k] = value;
    },
  }),
  f32: (k) => ({
    get() {
      return this._f32[this._at * 2 + k];
    },
    set(value: number) {
      this._f32[this._at * 2 + k] = value;
    },
  }),
  i32: (k) => ({
    get() {
      return this._i32[this._at * 2 + k];
    },
    set(value: number) {
      this._i32[this._at * 2 + k] = value;
    },
  }),
  u32: (k) => ({
    get() {
      return this._u32[this._at * 2 + k];
    },
    set(value: number) {
      this._u32[this._at * 2 + k] = value;
    },
  }),
  i16: (k) => ({
    get() {
      return this._i16[this._at * 4 + k];
    },
    set(value: number) {
      this._i16[this._at * 4 + k] = value;
    },
  }),
  u16: (k) => ({
    get() {
      return this._u16[this._at * 4 + k];
    },
    set(value: number) {
      this._u16[this._at * 4 + k] = value;
    },
  }),
  i8: (k) => ({
    get() {
      return this._i8[this._at * 8 + k];
    },
    set(value: number) {
      this._i8[this._at * 8 + k] = value;
    },
  }),
  u8: (k) => ({
    get() {
      return this._u8[this._at * 8 + k];
    },
    set(value: number) {
      this._u8[this._at * 8 + k] = value;
    },
  }),
  bool: (k) => ({
    get() {
      return this._u8[this._at * 8 + k] !== 0;
    },
    set(value: boolean) {
      this._u8[this._at * 8 + k] = value ? 1 : 0;
    },
  }),
};

/** A text is as long as its bytes up to the zeros at the end of the field: it may hold U+0000, but not end in it. */
function textField(name: string, k: number, room: number): Accessor {
  return {
    get() {
      const at = this._at * 8 + k;
      let length = room;
      while (length > 0 && this._u8[at + length - 1] === 0) length--;
      return decodeAt(this._u8, at, length);
    },
    set(text: string) {
      checkText(name, text);
      const at = this._at * 8 + k;
      const utf8 = isShortAscii(text) ? undefined : encodePrivately(text);
      const length = utf8?.length ?? text.length;
      if (length > room || text.endsWith("\0")) {
        throw new InvalidValueError(
          `${name}: text must be from 0 to ${room} bytes of UTF-8 and not end in U+0000; got ${length} bytes${text.endsWith("\0") ? " with U+0000 at the end" : ""}.`,
        );
      }
      if (utf8 === undefined) writeAscii(this._u8, at, text);
      else this._u8.set(utf8, at);
      this._u8.fill(0, at + length, at + room);
    },
  };
}

/** How `field` is read and written; `arrayIndex`: which of the cursor's arrays it is, if it is one. */
export function accessor(field: Field, arrayIndex: number): Accessor {
  const { name, kind, length, offset } = field;
  if (kind === "text") return textField(name, offset, length as number);
  if (length === undefined) return SINGLE[kind](offset / bytesOf(kind));
  return {
    get() {
      return this._arrays[arrayIndex];
    },
  };
}
