/** Why a pool has no buffer right now, and the errors that say so. */
import { OutOfMemoryError, PoolExhaustedError, StaleHandleError } from "../allocator/index.js";

export type Refusal = "exhausted" | "out-of-memory";

/** What the errors tell of the pool. */
interface Refuser {
  readonly label: string;
  readonly maxBuffers: number | undefined;
  readonly capacity: number;
}

export function refusedError(
  what: string,
  refusal: Refusal,
  pool: Refuser,
): PoolExhaustedError | OutOfMemoryError {
  const message = `${what}: pool ${JSON.stringify(pool.label)} has ${whyNot(refusal, pool)}`;
  if (refusal === "exhausted") {
    return new PoolExhaustedError(`${message}; release some, await acquireAsync(), or raise maxBuffers.`);
  }
  return new OutOfMemoryError(`${message}; free or discard objects, or create a larger heap.`);
}

export function tooLongError(
  size: number,
  ms: number | undefined,
  refusal: Refusal,
  pool: Refuser,
): PoolExhaustedError {
  return new PoolExhaustedError(
    `acquireAsync(${size}): pool ${JSON.stringify(pool.label)} had ${whyNot(refusal, pool)} for ${ms} ms.`,
  );
}

export function disposedError(method: string, label: string): PoolExhaustedError {
  return new PoolExhaustedError(
    `${method}: pool ${JSON.stringify(label)} was disposed and hands out nothing any more.`,
  );
}

/** How often a domain that does not say whose it is may answer with an object that is gone. */
const MOST_TRIES = 64;

/** Not a refusal: handles that are never of this heap are the domain's mistake. */
export function checkTries(tries: number): void {
  if (tries < MOST_TRIES) return;
  throw new StaleHandleError(
    `The domain's alloc() returned a handle that names no live object of the pool's heap, ${tries} times in a row.`,
  );
}

function whyNot(refusal: Refusal, { maxBuffers, capacity }: Refuser): string {
  return refusal === "exhausted"
    ? `all of its ${maxBuffers} buffers in use`
    : `no room in the heap's ${capacity} bytes of payload`;
}
