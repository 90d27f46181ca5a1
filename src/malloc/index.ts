/** Front door of the malloc layer. */
export type { ArrayType, BigIntArrayType, NumberArrayType, PoolArray, PoolArrays } from "./arrays.js";
export type { MemPoolOptions } from "./options.js";
export { MemPool } from "./pool.js";
export type { MemPoolStats } from "./stats.js";
