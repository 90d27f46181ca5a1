/** Element types by the names `@thi.ng/api` gives them, and the arrays they stand for. */
import { describeValue, InvalidTypeError } from "../allocator/index.js";

/** What `mallocAs` returns for each element type. */
export interface PoolArrays {
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly u8c: Uint8ClampedArray<SharedArrayBuffer>;
  readonly i8: Int8Array<SharedArrayBuffer>;
  readonly u16: Uint16Array<SharedArrayBuffer>;
  readonly i16: Int16Array<SharedArrayBuffer>;
  readonly u32: Uint32Array<SharedArrayBuffer>;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly i64: BigInt64Array<SharedArrayBuffer>;
  readonly u64: BigUint64Array<SharedArrayBuffer>;
  readonly f32: Float32Array<SharedArrayBuffer>;
  readonly f64: Float64Array<SharedArrayBuffer>;
}

/** Name of an element type: `u8`, `u8c` (clamped), `i8`, `u16`, `i16`, `u32`, `i32`, `i64`, `u64`, `f32` or `f64`. */
export type ArrayType = keyof PoolArrays;

/** Element types whose elements are bigints, and all others. */
export type BigIntArrayType = "i64" | "u64";
export type NumberArrayType = Exclude<ArrayType, BigIntArrayType>;

/** Any typed array; those that `mallocAs` returns among them. */
export type PoolArray =
  | Uint8Array
  | Uint8ClampedArray
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

interface ArrayClass<A> {
  readonly BYTES_PER_ELEMENT: number;
  readonly name: string;
  new (buffer: SharedArrayBuffer, byteOffset: number, length: number): A;
}

const CLASSES: { readonly [T in ArrayType]: ArrayClass<PoolArrays[T]> } = {
  u8: Uint8Array,
  u8c: Uint8ClampedArray,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  i64: BigInt64Array,
  u64: BigUint64Array,
  f32: Float32Array,
  f64: Float64Array,
};

const BY_NAME = new Map<unknown, ArrayClass<PoolArray>>(
  Object.values(CLASSES).map((type: ArrayClass<PoolArray>) => [type.name, type]),
);

/** The language's own answer to which typed array something is; undefined for everything else. */
const kindOf = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)?.get;

/** The class `type` names; throws {@link InvalidTypeError} for anything that is no element type. */
export function classOf<T extends ArrayType>(method: string, type: T): ArrayClass<PoolArrays[T]> {
  if (typeof type === "string" && Object.hasOwn(CLASSES, type)) return CLASSES[type];
  throw new InvalidTypeError(
    `${method}: type must be one of ${Object.keys(CLASSES).join(", ")}; got ${describeValue(type)}.`,
  );
}

/**
 * The class of an array: the language's own one, also for instances of a subclass such as Node's `Buffer`. Throws
 * {@link InvalidTypeError} for what is no typed array.
 */
export function classOfArray(method: string, array: unknown): ArrayClass<PoolArray> {
  const found = BY_NAME.get(kindOf?.call(array));
  if (found !== undefined) return found;
  throw new InvalidTypeError(
    `${method}: expected a typed array that mallocAs or callocAs returned; got ${describeValue(array)}.`,
  );
}

/** Do the elements of this class take bigints? */
export function holdsBigInts(type: ArrayClass<PoolArray>): boolean {
  return type === BigInt64Array || type === BigUint64Array;
}
