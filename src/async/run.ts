/** Work in a domain of its own, synchronous or not: opened before it, left exactly once after it. */
import {
  type DomainOptions,
  describeValue,
  type EpochDomain,
  type EpochId,
  type EpochRef,
  InvalidTypeError,
  InvalidValueError,
  type SlabHeap,
} from "../allocator/index.js";
import { checkHeap, checkKeys } from "../threads/index.js";
import { unlessAborted } from "./abort.js";
import { innermost, within } from "./context.js";
import { AsyncDomain, type DomainHost } from "./domain.js";
import {
  type AsyncDomainOptions,
  type CheckedDomainOptions,
  DOMAIN_OPTIONS,
  readDomainOptions,
  refuseAborted,
} from "./options.js";
import { EpochRotator } from "./rotator.js";

/** Options of {@link runInDomain}. */
export interface RunInDomainOptions extends AsyncDomainOptions {
  /** Ring slot of the epoch to open it in, which must be open; default the current one. Not with `rotator`. */
  epoch?: EpochId;
  /** Close each epoch it was in when that epoch's last domain is left. Default false. Not with `rotator`. */
  autoClose?: boolean;
  /** Open it through this rotator of the same heap, which then decides when epochs end. */
  rotator?: EpochRotator;
}

const RUN_OPTIONS = [...DOMAIN_OPTIONS, "epoch", "autoClose", "rotator"] as const;

/**
 * Calls `fn` with a domain of its own and returns what it returns. The domain ends when `fn` has returned something else
 * than a promise, has thrown, or its promise has settled; any other thenable counts as a promise and comes back as one.
 * {@link currentDomain} finds the domain in everything that `fn` starts, until it has ended.
 *
 * - `signal` aborted before: its reason is thrown, `fn` is not called. Aborted later: the returned promise rejects with
 *   the reason at once, but the domain ends when the promise of `fn` settles, because until then its code uses its
 *   objects. What `fn` and deferred callbacks come to after that is dropped, errors too.
 * - `fn` and callbacks deferred in the domain both failed: the error of `fn` is thrown, with the others in its property
 *   `suppressed`, an array. Where it cannot have one (no object, or frozen): an AggregateError of all, the error of
 *   `fn` first.
 * - An iterator is no promise: the body of a generator runs after the domain has ended.
 *
 * Throws {@link InvalidTypeError} and {@link InvalidValueError} for bad arguments, and what `heap.openDomain` throws. Those and
 * an early abort are thrown, never returned as a rejected promise.
 *
 * @example
 * ```ts
 * const rotator = new EpochRotator(heap, { everyDomains: 256, everyMs: 1000, onLastExit: "discard" });
 * server.on("request", (request, response) =>
 *   runInDomain(heap, { rotator }, async (domain) => {
 *     const body = heap.view(domain.allocOrThrow(64 * 1024));
 *     await fill(body, request); // currentDomain(heap) is this domain, in here too
 *     response.end(process(body));
 *   }),
 * );
 * ```
 */
export function runInDomain<T>(
  heap: SlabHeap,
  options: RunInDomainOptions,
  fn: (domain: AsyncDomain) => T,
): T {
  checkHeap("runInDomain", heap);
  checkKeys("runInDomain", options, RUN_OPTIONS);
  const checked = readDomainOptions(options);
  const { epoch, autoClose, rotator } = options;
  checkRotator(heap, rotator, epoch, autoClose);
  if (typeof fn !== "function") {
    throw new InvalidTypeError(`runInDomain: fn must be a function; got ${describeValue(fn)}.`);
  }
  refuseAborted(checked.signal);
  const domain =
    rotator === undefined ? openAlone(heap, checked, epoch, autoClose) : rotator.openChecked(checked);
  return within(domain, (inside) => run(inside, fn));
}

/**
 * The domain that the running code belongs to: the innermost one of `heap` that {@link runInDomain} opened around it, through
 * awaits, timers and callbacks. Domains that have ended do not count; undefined when there is none.
 */
export function currentDomain(heap: SlabHeap): AsyncDomain | undefined {
  return innermost(checkHeap("currentDomain", heap));
}

function run<T>(domain: AsyncDomain, fn: (domain: AsyncDomain) => T): T {
  let result: T;
  let settled: Promise<unknown> | undefined;
  try {
    result = fn(domain);
    // Reading `then` may throw as well.
    if (isThenable(result)) settled = endWhenSettled(domain, result);
  } catch (error) {
    throw endAfter(domain, error);
  }
  if (settled === undefined) {
    domain.end();
    return result;
  }
  const { signal } = domain;
  // T is a promise, or a thenable of the same value.
  return (signal === undefined ? settled : unlessAborted(signal, settled)) as T;
}

/** One promise and no more: with asynchronous context to carry, each one more costs as much as opening the domain. */
function endWhenSettled(domain: AsyncDomain, result: PromiseLike<unknown>): Promise<unknown> {
  return Promise.resolve(result).then(
    (value) => {
      domain.end();
      return value;
    },
    (error: unknown) => {
      throw endAfter(domain, error);
    },
  );
}

/** Ends the domain of a `fn` that failed, and returns what is to be thrown. */
function endAfter(domain: AsyncDomain, error: unknown): unknown {
  try {
    domain.end();
  } catch (late) {
    return withSuppressed(error, late);
  }
  return error;
}

function withSuppressed(error: unknown, late: unknown): unknown {
  if (typeof error === "object" && error !== null) {
    const before: unknown = Reflect.get(error, "suppressed");
    const value = Array.isArray(before) ? [...before, late] : [late];
    if (Reflect.defineProperty(error, "suppressed", { value, configurable: true, writable: true })) {
      return error;
    }
  }
  return new AggregateError(
    [error, late],
    "runInDomain: the function failed, and so did what it had deferred.",
    { cause: error },
  );
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== "object" || value === null) && typeof value !== "function") return false;
  return typeof (value as { then?: unknown }).then === "function";
}

function openAlone(
  heap: SlabHeap,
  { label, signal, onRotate }: CheckedDomainOptions,
  epoch: EpochId | undefined,
  autoClose: boolean | undefined,
): AsyncDomain {
  return new AsyncDomain(new Alone(heap, label, autoClose, epoch), label, signal, onRotate ?? "follow");
}

/** Memberships of a domain without a rotator: the heap's own rules say what becomes of its epochs. */
class Alone implements DomainHost {
  readonly heap: SlabHeap;
  private readonly label: string;
  private readonly autoClose: boolean | undefined;
  private epoch: EpochId | undefined;

  constructor(heap: SlabHeap, label: string, autoClose: boolean | undefined, epoch: EpochId | undefined) {
    this.heap = heap;
    this.label = label;
    this.autoClose = autoClose;
    this.epoch = epoch;
  }

  enter(): EpochDomain {
    const options: DomainOptions = { label: this.label, unordered: true };
    if (this.autoClose !== undefined) options.autoClose = this.autoClose;
    if (this.epoch !== undefined) options.epoch = this.epoch;
    const member = this.heap.openDomain(options);
    // What was asked for is where it is opened; later it follows the ring.
    this.epoch = undefined;
    return member;
  }

  left(_epochs: readonly EpochRef[]): void {}
}

function checkRotator(
  heap: SlabHeap,
  rotator: EpochRotator | undefined,
  epoch: EpochId | undefined,
  autoClose: boolean | undefined,
): void {
  if (rotator === undefined) return;
  if (!(rotator instanceof EpochRotator)) {
    throw new InvalidTypeError(`Option "rotator" must be an EpochRotator; got ${describeValue(rotator)}.`);
  }
  if (rotator.heap !== heap) {
    throw new InvalidValueError(
      'Option "rotator" must be a rotator of the same heap; got one of another heap, or of another attachment.',
    );
  }
  if (epoch !== undefined || autoClose !== undefined) {
    const name = epoch !== undefined ? "epoch" : "autoClose";
    throw new InvalidValueError(
      `Option "${name}" cannot go together with "rotator", which decides about epochs itself.`,
    );
  }
}
