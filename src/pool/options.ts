/** Options of a pool and of its methods: types, and checks that read each of them once. */
import {
  booleanOption,
  checkInteger,
  describeValue,
  EpochDomain,
  type Handle,
  InvalidTypeError,
  InvalidValueError,
  integerOption,
  type SlabHeap,
} from "../allocator/index.js";
import {
  checkHeap,
  checkOptionKeys,
  checkWaitOptions,
  stringOption,
  type WaitOptions,
} from "../threads/index.js";
import type { Scope } from "./domains.js";
import type { DebugOptions } from "./leaks.js";
import { FIRST_JOURNEY, LAST_JOURNEY, MAX_PERMITS, type PermitRef } from "./permits.js";
import type { DetachOptions, PooledRef } from "./pooled-buffer.js";

/** Options of `BufferPool.attach`. */
export interface BufferPoolAttachOptions {
  /** Names the pool in errors, warnings and statistics. Default "pool", or the name of the pool attached to. */
  label?: string;
  /** Fill buffers with zeros when they are acquired. By default they hold what was there before. */
  zero?: boolean;
  /**
   * Warn about buffers that are lost without release, and overwrite bytes when they are released. Costs about ten
   * microseconds per buffer. Default false.
   */
  debug?: boolean | DebugOptions;
  /**
   * Views kept for places that come again, 0..65,536, rounded up to a power of two; each takes about 120 bytes of the
   * JS heap once it is used. 0 makes a new view for every buffer. Default 4,096.
   */
  cachedViews?: number;
  /**
   * The domain that buffers belong to unless `acquire` says otherwise. Default `EpochDomain.current`; programs that use
   * async functions pass `currentDomain` of `temporal-slab/async`. May return undefined or null for none.
   */
  currentDomain?: (heap: SlabHeap) => Scope | null | undefined;
}

/** Options of `new BufferPool`. */
export interface BufferPoolOptions extends BufferPoolAttachOptions {
  /**
   * Buffers that may be in use at once, 1..2^20, over all threads that share the pool; default no limit. A limit has one
   * word of shared memory per permit. Finding a free one is quick while there are many; to learn that there is none,
   * `acquire` looks at all of them.
   */
  maxBuffers?: number;
}

/** Options of `acquire`, `tryAcquire` and `adopt`. */
export interface AcquireOptions {
  /** The domain the buffer belongs to, one of the pool's heap; null: none. Default the current one. */
  domain?: Scope | null;
}

/** Options of `acquireAsync`. */
export interface AcquireAsyncOptions extends AcquireOptions, WaitOptions {}

/** What another thread needs for `BufferPool.attach`; survives structured cloning. */
export interface PoolRef {
  readonly kind: "temporal-slab/pool";
  readonly label: string;
  readonly buffer: SharedArrayBuffer;
}

export const POOL_KIND = "temporal-slab/pool";

const DEFAULT_VIEWS = 4096;
const MAX_VIEWS = 65_536;

/** A pool's options, checked. */
export interface PoolConfig {
  readonly label: string;
  readonly maxBuffers: number | undefined;
  readonly zero: boolean;
  readonly debug: DebugOptions | undefined;
  readonly views: number;
  readonly currentDomain: (heap: SlabHeap) => Scope | null | undefined;
}

const ATTACH_KEYS = ["label", "zero", "debug", "cachedViews", "currentDomain"];

export function resolvePoolOptions(method: string, options: unknown, label: string): PoolConfig {
  const keys = method === "BufferPool" ? [...ATTACH_KEYS, "maxBuffers"] : ATTACH_KEYS;
  const given: BufferPoolOptions = { ...checkOptionKeys(method, options, keys) };
  const debug = debugOption(given.debug);
  const views = whole("cachedViews", given.cachedViews, 0, MAX_VIEWS) ?? DEFAULT_VIEWS;
  return {
    label: stringOption("label", given.label) ?? label,
    maxBuffers: whole("maxBuffers", given.maxBuffers, 1, MAX_PERMITS),
    zero: booleanOption("zero", given.zero),
    debug,
    // In debug mode every buffer has bytes of its own, so that they can be told apart.
    views: views === 0 || debug !== undefined ? 0 : 2 ** Math.ceil(Math.log2(views)),
    currentDomain: functionOption("currentDomain", given.currentDomain) ?? EpochDomain.current,
  };
}

function debugOption(value: unknown): DebugOptions | undefined {
  if (value === undefined || value === false) return undefined;
  if (value === true) return {};
  if (typeof value !== "object" || value === null) {
    throw new InvalidTypeError(
      `Option "debug" must be true, false or an object with onLeak; got ${describeValue(value)}.`,
    );
  }
  const { onLeak }: DebugOptions = checkOptionKeys('Option "debug"', value, ["onLeak"]);
  functionOption("onLeak", onLeak);
  return onLeak === undefined ? {} : { onLeak };
}

function functionOption<T>(name: string, value: T): T {
  if (value === undefined || typeof value === "function") return value;
  throw new InvalidTypeError(`Option "${name}" must be a function; got ${describeValue(value)}.`);
}

function whole(name: string, value: unknown, min: number, max: number): number | undefined {
  return value === undefined ? undefined : integerOption(name, value, min, min, max);
}

/** A heap that is attached: a detached one has no seat whose name permits could bear. */
export function checkPoolHeap(method: string, heap: unknown): void {
  checkHeap(method, heap).assertAttached(method);
}

/** The domain that `options` name, for {@link chooseScope}: undefined where they do not say, null for none. */
export function domainOption(method: string, options: AcquireOptions | undefined): Scope | null | undefined {
  const { domain }: AcquireOptions = checkOptionKeys(method, options, ["domain"]);
  return domain;
}

/**
 * The domain of a buffer: the one asked for, else the current one; undefined for none. Never one of another heap: handles
 * mean nothing there, and what it allocated would pass for objects of this one.
 */
export function chooseScope(
  method: string,
  asked: Scope | null | undefined,
  heap: SlabHeap,
  current: (heap: SlabHeap) => Scope | null | undefined,
): Scope | undefined {
  const scope: unknown = asked === undefined ? current(heap) : asked;
  if (scope === undefined || scope === null) return undefined;
  const what = asked === undefined ? "what currentDomain returns" : 'option "domain"';
  const { alloc, defer, heap: its }: Partial<Scope> = typeof scope === "object" ? scope : {};
  if (typeof alloc !== "function" || typeof defer !== "function") {
    throw new InvalidTypeError(
      `${method}: ${what} must be a domain (an object with alloc and defer), or null for none; got ${describeValue(scope)}.`,
    );
  }
  if (its === undefined || its === heap) return scope as Scope;
  throw new InvalidValueError(
    `${method}: ${what} must be a domain of the pool's own heap; got one of another heap, or of another attachment to it.`,
  );
}

/** Options of `acquireAsync`; the domain is for {@link chooseScope}. */
export function asyncOptions(options: unknown): AcquireAsyncOptions & WaitOptions {
  const method = "acquireAsync";
  const { domain, ...wait }: AcquireAsyncOptions = {
    ...checkOptionKeys(method, options, ["domain", "timeoutMs", "signal"]),
  };
  return { ...checkWaitOptions(method, wait), ...(domain === undefined ? {} : { domain }) };
}

/** Whether a detached buffer takes its permit along. */
export function sendsPermit(options: DetachOptions | undefined): boolean {
  const { permit }: DetachOptions = checkOptionKeys("detach", options, ["permit"]);
  return permit === undefined ? true : booleanOption("permit", permit);
}

/** What `detach` returned, or a handle and a length; each property read once. */
export function checkPooledRef(ref: unknown): PooledRef {
  if (typeof ref !== "object" || ref === null) {
    throw new InvalidTypeError(
      `adopt: expected what detach() returned, or { handle, byteLength }; got ${describeValue(ref)}.`,
    );
  }
  const { handle, byteLength, permit }: { handle?: unknown; byteLength?: unknown; permit?: unknown } = ref;
  checkInteger("adopt: handle", handle, 1, Number.MAX_SAFE_INTEGER);
  checkInteger("adopt: byteLength", byteLength, 1, Number.MAX_SAFE_INTEGER);
  const checked = { handle: handle as Handle, byteLength };
  return permit === undefined ? checked : { ...checked, permit: checkPermit(permit) };
}

function checkPermit(permit: unknown): PermitRef {
  const { index, journey, limit }: { index?: unknown; journey?: unknown; limit?: unknown } =
    typeof permit === "object" && permit !== null ? permit : {};
  checkInteger("adopt: permit.index", index, 0, MAX_PERMITS - 1);
  checkInteger("adopt: permit.journey", journey, FIRST_JOURNEY, LAST_JOURNEY);
  checkInteger("adopt: permit.limit", limit, 1, 2 ** 31 - 1);
  return { index, journey, limit };
}
