/** Rows of bad-input.test.ts: the world they ask, what a row is, and those whose answer counts the failure. */
import {
  EpochClosedError,
  OutOfMemoryError,
  PoolExhaustedError,
  RingBusyError,
  SeatsExhaustedError,
} from "../../src/allocator/errors.js";
import type { EpochDomain } from "../../src/allocator/heap/domain.js";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import type { Handle } from "../../src/allocator/types.js";
import { BufferPool } from "../../src/pool/index.js";
import { HandleRing } from "../../src/ring/index.js";
import { another, epochId, SLAB } from "./support.js";

/** A heap in the middle of its work. */
export interface World {
  readonly heap: SlabHeap;
  readonly other: SlabHeap;
  readonly gone: SlabHeap;
  readonly outer: EpochDomain;
  readonly inner: EpochDomain;
  readonly live: readonly Handle[];
  readonly dead: Handle;
}

export type ErrorClass = new (message: string) => Error;
export type Row = readonly [
  name: string,
  ask: (w: World) => unknown,
  expected: ErrorClass,
  code: string,
  parts: readonly string[],
];

/** Answers that count the failure, and may so change words. */
export const COUNTED: readonly Row[] = [
  [
    "a second sender in a ring for one",
    ({ heap, other, live }) => {
      const ring = HandleRing.create(heap);
      ring.trySend(live[0]);
      return HandleRing.attach(other, ring.share()).trySend(live[0]);
    },
    RingBusyError,
    "ERR_TSLAB_RING_BUSY",
    ["ring's 1 lanes", "more producers"],
  ],
  [
    "a buffer beyond the limit of its pool",
    ({ heap }) => {
      const pool = new BufferPool(heap, { label: "few", maxBuffers: 1 });
      using _first = pool.acquire(64);
      return pool.acquire(64);
    },
    PoolExhaustedError,
    "ERR_TSLAB_POOL_EXHAUSTED",
    ["few", "1"],
  ],
  [
    "one seat too many",
    ({ heap }) => {
      const taken = [another(heap), another(heap)];
      try {
        return another(heap);
      } finally {
        for (const h of taken) h.detach();
      }
    },
    SeatsExhaustedError,
    "ERR_TSLAB_SEATS_EXHAUSTED",
    ["All 4 seats", "maxWorkers"],
  ],
  [
    "more than there is",
    ({ heap }) => heap.allocOrThrow(16 * SLAB),
    OutOfMemoryError,
    "ERR_TSLAB_OUT_OF_MEMORY",
    ["alloc(65536): no room in 65536 bytes"],
  ],
  [
    "a closed epoch",
    ({ heap }) => heap.allocOrThrow(64, epochId(0)),
    EpochClosedError,
    "ERR_TSLAB_EPOCH_CLOSED",
    ["epoch 0 is not open"],
  ],
  [
    "a domain of a closed epoch",
    ({ heap }) => heap.openDomain({ epoch: epochId(0) }),
    EpochClosedError,
    "ERR_TSLAB_EPOCH_CLOSED",
    ["epoch 0 (era 32) is closed"],
  ],
];
