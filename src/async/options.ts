/** Options of this layer, each read once and checked before anything is opened. */
import { describeValue, InvalidTypeError, InvalidValueError, integerOption } from "../allocator/index.js";
import { checkKeys, isSignal, LONGEST_TIMER_MS, stringOption } from "../threads/index.js";

/**
 * What `alloc` of a domain does when the epoch it is in is not open any more: "follow" enters the current epoch too and
 * holds both, "refuse" answers NULL_HANDLE.
 */
export type OnRotate = "follow" | "refuse";

/** Options of `EpochRotator.open`, and some of those of `runInDomain`. */
export interface AsyncDomainOptions {
  /** Names the domain; without a rotator it names the epoch too. At most 31 bytes of UTF-8 are kept of that. */
  label?: string;
  /** Found in `AsyncDomain.signal`. Aborted already: its reason is thrown and nothing is opened. */
  signal?: AbortSignal;
  /** Default that of the rotator, or "follow" without one. */
  onRotate?: OnRotate;
}

/** Options of `new EpochRotator`. With neither `everyDomains` nor `everyMs` it takes 1,024 domains or 1,000 ms. */
export interface RotatorOptions {
  /** The current epoch takes this many domains, 1..2^31-1; then the next one opens. */
  everyDomains?: number;
  /** The current epoch takes domains for this many milliseconds, 1..2^31-1; then the next one opens. */
  everyMs?: number;
  /**
   * What becomes of an epoch that is not current any more when its last domain, whichever thread's, has been left. "close":
   * its slabs go back as its objects are freed. "discard": every object in it is freed at once, also those that were
   * allocated outside of domains. Default "close".
   */
  onLastExit?: "close" | "discard";
  /** Names the epochs, for reports. */
  label?: string;
  /** What domains opened through this rotator do unless they say otherwise. Default "follow". */
  onRotate?: OnRotate;
}

/** The longest delay a timer takes, and as many domains. */
const MOST = LONGEST_TIMER_MS;
const DEFAULT_DOMAINS = 1024;
const DEFAULT_MS = 1000;

export interface CheckedDomainOptions {
  readonly label: string;
  readonly signal: AbortSignal | undefined;
  readonly onRotate: OnRotate | undefined;
}

export interface CheckedRotatorOptions {
  /** Infinity: however many. */
  readonly everyDomains: number;
  /** Infinity: however long. */
  readonly everyMs: number;
  readonly discard: boolean;
  readonly label: string;
  readonly onRotate: OnRotate;
}

export const DOMAIN_OPTIONS = ["label", "signal", "onRotate"] as const;
const ROTATOR_OPTIONS = ["everyDomains", "everyMs", "onLastExit", "label", "onRotate"] as const;

/** The values of {@link AsyncDomainOptions}; keys are the caller's to check. */
export function readDomainOptions({ label, signal, onRotate }: AsyncDomainOptions): CheckedDomainOptions {
  checkSignal(signal);
  return { label: stringOption("label", label) ?? "", signal, onRotate: checkOnRotate(onRotate) };
}

export function readRotatorOptions(options: unknown): CheckedRotatorOptions {
  checkKeys("EpochRotator", options, ROTATOR_OPTIONS);
  const { everyDomains, everyMs, onLastExit, label, onRotate } = options as RotatorOptions;
  const neither = everyDomains === undefined && everyMs === undefined;
  const last: unknown = onLastExit;
  if (last !== undefined && last !== "close" && last !== "discard") {
    throw wrong(last, `Option "onLastExit" must be "close" or "discard"; got ${describeValue(last)}.`);
  }
  return {
    everyDomains: integerOption("everyDomains", everyDomains, neither ? DEFAULT_DOMAINS : Infinity, 1, MOST),
    everyMs: integerOption("everyMs", everyMs, neither ? DEFAULT_MS : Infinity, 1, MOST),
    discard: last === "discard",
    label: stringOption("label", label) ?? "",
    onRotate: checkOnRotate(onRotate) ?? "follow",
  };
}

/** Throws the reason of a signal that is aborted. */
export function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw signal.reason;
}

function checkOnRotate(value: unknown): OnRotate | undefined {
  if (value === undefined || value === "follow" || value === "refuse") return value;
  throw wrong(value, `Option "onRotate" must be "follow" or "refuse"; got ${describeValue(value)}.`);
}

function checkSignal(signal: unknown): void {
  if (signal === undefined || isSignal(signal)) return;
  throw new InvalidTypeError(`Option "signal" must be an AbortSignal; got ${describeValue(signal)}.`);
}

/** A string that is not in its list is a bad value, anything else a bad type. */
function wrong(value: unknown, message: string): Error {
  return typeof value === "string" ? new InvalidValueError(message) : new InvalidTypeError(message);
}
