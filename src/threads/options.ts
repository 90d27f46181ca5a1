/** Options of waiting methods, and what every layer above the allocator needs to check options of its own. */
import { describeValue, InvalidTypeError, InvalidValueError, SlabHeap } from "../allocator/index.js";

/** What waiting needs of an `AbortSignal`. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** How long to wait. */
export interface WaitOptions {
  /** Milliseconds, 0 or more, `Infinity` included; without it there is no limit. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait: the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignalLike | undefined;
}

/** The heap it was given. Throws {@link InvalidTypeError} that names `method` for anything else. */
export function checkHeap(method: string, heap: unknown): SlabHeap {
  if (heap instanceof SlabHeap) return heap;
  throw new InvalidTypeError(`${method}: heap must be a SlabHeap; got ${describeValue(heap)}.`);
}

/** An options object with known keys only, or none. Throws {@link InvalidTypeError} that names `method` and the key. */
export function checkOptionKeys(method: string, options: unknown, known: readonly string[]): object {
  return options === undefined ? {} : checkKeys(method, options, known);
}

/** As {@link checkOptionKeys}, where there must be options. A misspelt one would be ignored without a word. */
export function checkKeys(method: string, options: unknown, known: readonly string[]): object {
  if (typeof options !== "object" || options === null) {
    throw new InvalidTypeError(`${method}: options must be an object; got ${describeValue(options)}.`);
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) {
      throw new InvalidTypeError(
        `${method}: unknown option ${JSON.stringify(key)}; known are ${known.join(", ")}.`,
      );
    }
  }
  return options;
}

/** An optional string. */
export function stringOption(name: string, value: unknown): string | undefined {
  if (value === undefined || typeof value === "string") return value;
  throw new InvalidTypeError(`Option "${name}" must be a string; got ${describeValue(value)}.`);
}

/**
 * Checks the options of a waiting method, each read once. Throws {@link InvalidTypeError} or {@link InvalidValueError}
 * that name `method`, the option and what is allowed. A blocking method takes no signal: `known` says which keys exist.
 */
export function checkWaitOptions(
  method: string,
  options: unknown,
  known: readonly ("timeoutMs" | "signal")[] = ["timeoutMs", "signal"],
): WaitOptions {
  const { timeoutMs, signal }: { timeoutMs?: unknown; signal?: unknown } = checkOptionKeys(
    method,
    options,
    known,
  );
  if (timeoutMs !== undefined && typeof timeoutMs !== "number") {
    throw new InvalidTypeError(
      `${method}: option "timeoutMs" must be a number of milliseconds, 0 or more; got ${describeValue(timeoutMs)}.`,
    );
  }
  if (timeoutMs !== undefined && !(timeoutMs >= 0)) {
    throw new InvalidValueError(
      `${method}: option "timeoutMs" must be 0 or more milliseconds, Infinity included; got ${timeoutMs}.`,
    );
  }
  if (signal !== undefined && !isSignal(signal)) {
    throw new InvalidTypeError(
      `${method}: option "signal" must be an AbortSignal; got ${describeValue(signal)}.`,
    );
  }
  return { timeoutMs, signal };
}

/** By what it can do: signals come from other realms and from polyfills too. */
export function isSignal(value: unknown): value is AbortSignalLike {
  const { aborted, addEventListener, removeEventListener }: Partial<AbortSignalLike> =
    typeof value === "object" && value !== null ? value : {};
  return (
    typeof aborted === "boolean" &&
    typeof addEventListener === "function" &&
    typeof removeEventListener === "function"
  );
}
