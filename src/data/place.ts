/** Where a text or a record is allocated. */
import {
  describeValue,
  type EpochId,
  type Handle,
  InvalidTypeError,
  InvalidValueError,
  type SlabHeap,
} from "../allocator/index.js";

/** What allocates in an epoch of its own choice: an `EpochDomain`, or an `AsyncDomain` of `temporal-slab/async`. */
export interface Domain {
  readonly heap: SlabHeap;
  alloc(size: number): Handle;
}

/** Allocates in the current epoch, in the epoch of a ring slot, or as a domain of the same heap does. */
export function allocIn(
  method: string,
  heap: SlabHeap,
  size: number,
  where: EpochId | Domain | undefined,
): Handle {
  if (where === undefined || typeof where === "number") return heap.alloc(size, where);
  const { heap: its }: Partial<Domain> = typeof where === "object" && where !== null ? where : {};
  if (its === undefined || typeof where.alloc !== "function") {
    throw new InvalidTypeError(
      `${method}: the last argument must be a ring slot (0..15) or a domain; got ${describeValue(where)}.`,
    );
  }
  if (its !== heap) {
    throw new InvalidValueError(
      `${method}: the domain must be one of the same heap; got one of another heap, or of another attachment.`,
    );
  }
  return where.alloc(size);
}
