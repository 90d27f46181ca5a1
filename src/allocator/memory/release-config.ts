/** Page releaser and release policy of one thread, checked. */
import { InvalidTypeError, InvalidValueError } from "../errors.js";
import type { PageReleaser, ReleasePolicy } from "../types.js";
import { isPowerOfTwo } from "./bits.js";
import type { Layout } from "./layout.js";
import { booleanOption, integerOption, MAX_CAPACITY } from "./options.js";
import { describe } from "./size-classes.js";

/** How one thread gives pages back, from its options. */
export interface ReleaseConfig {
  /** Undefined where none was given, or one that releases nothing. */
  readonly releaser: PageReleaser | undefined;
  readonly pageBytes: number;
  readonly onClose: boolean;
  /** Undefined: the heap's default. */
  readonly reserveBytes: number | undefined;
  /** 0 = never. */
  readonly decayMs: number;
}

/** A policy as the thread's attachment needs it. */
export interface ReleaseRules {
  readonly releaser: PageReleaser | undefined;
  readonly pageBytes: number;
  readonly onClose: boolean;
  readonly reserveSlabs: number;
  readonly decayMs: number;
}

const KNOWN_RULES = ["onClose", "reserveBytes", "decayMs"];
const MIN_PAGE = 4096;
const MAX_PAGE = 1024 * 1024;
export const MIN_DECAY_MS = 50;
export const MAX_DECAY_MS = 3_600_000;

/**
 * What a close leaves warm: worth having as soon as it holds what is freed and taken again between two closes, worth
 * nothing below that (bench/reclaim, part reserve). 512 KiB of the default heap hold most requests and frames, and are
 * little enough for nobody to miss them.
 */
const RESERVE_SHARE = 128;
const MAX_RESERVE = 1024 * 1024;

/** The reserve of a heap of so many bytes, unless its threads are told otherwise or it was made with `prefault`. */
export function usualReserveBytes(capacityBytes: number): number {
  return Math.min(MAX_RESERVE, capacityBytes / RESERVE_SHARE);
}

/** No releaser, and nothing to release. */
export const RELEASE_NOTHING: ReleaseConfig = Object.freeze({
  releaser: undefined,
  pageBytes: MIN_PAGE,
  onClose: true,
  reserveBytes: undefined,
  decayMs: 0,
});

/** Checks both options. Throws {@link InvalidTypeError} or {@link InvalidValueError}. */
export function releaseConfig(pageReleaser: unknown, releasePolicy: unknown): ReleaseConfig {
  const checked = checkReleaser(pageReleaser);
  if (releasePolicy !== undefined && (typeof releasePolicy !== "object" || releasePolicy === null)) {
    throw new InvalidTypeError(`Option "releasePolicy" must be an object; got ${describe(releasePolicy)}.`);
  }
  const given: ReleasePolicy = { ...releasePolicy };
  for (const key of Object.keys(given)) {
    if (!KNOWN_RULES.includes(key)) {
      throw new InvalidTypeError(
        `Unknown option ${JSON.stringify(key)} of releasePolicy; known are ${KNOWN_RULES.join(", ")}.`,
      );
    }
  }
  const { reserveBytes, decayMs } = given;
  const decay = integerOption("releasePolicy.decayMs", decayMs, 0, 0, MAX_DECAY_MS);
  if (decay !== 0 && decay < MIN_DECAY_MS) {
    throw new InvalidValueError(
      `Option "releasePolicy.decayMs" must be 0 (never) or from ${MIN_DECAY_MS} to ${MAX_DECAY_MS}; got ${decay}.`,
    );
  }
  return {
    releaser: checked.releaser,
    pageBytes: checked.pageBytes,
    onClose: given.onClose === undefined || booleanOption("releasePolicy.onClose", given.onClose),
    reserveBytes:
      reserveBytes === undefined
        ? undefined
        : integerOption("releasePolicy.reserveBytes", reserveBytes, 0, 0, MAX_CAPACITY),
    decayMs: decay,
  };
}

/** A usable page releaser, or undefined where there is none or one that releases nothing. Each property is read once. */
function checkReleaser(value: unknown): Pick<ReleaseConfig, "releaser" | "pageBytes"> {
  if (value === undefined) return RELEASE_NOTHING;
  const given = value as PageReleaser | null;
  if (typeof given !== "object" || given === null || typeof given.release !== "function") {
    throw new InvalidTypeError(
      `Option "pageReleaser" must be an object with a release() method; got ${describe(value)}.`,
    );
  }
  const { reuse } = given;
  if (reuse !== undefined && typeof reuse !== "function") {
    throw new InvalidTypeError(`Option "pageReleaser.reuse" must be a function; got ${describe(reuse)}.`);
  }
  const pageBytes = integerOption("pageReleaser.pageBytes", given.pageBytes, MIN_PAGE, MIN_PAGE, MAX_PAGE);
  if (!isPowerOfTwo(pageBytes)) {
    throw new InvalidValueError(
      `Option "pageReleaser.pageBytes" must be a power of two from ${MIN_PAGE} to ${MAX_PAGE}; got ${pageBytes}.`,
    );
  }
  const { enabled } = given;
  const releases = enabled === undefined || booleanOption("pageReleaser.enabled", enabled);
  return { releaser: releases ? given : undefined, pageBytes };
}

/** The rules for one heap. */
export function releaseRules(config: ReleaseConfig, layout: Layout): ReleaseRules {
  const { releaser, pageBytes, onClose, decayMs } = config;
  const usual = usualReserveBytes(layout.capacityBytes);
  const reserveBytes = config.reserveBytes ?? (layout.prefault ? layout.capacityBytes : usual);
  return {
    releaser,
    pageBytes,
    onClose,
    reserveSlabs: Math.floor(reserveBytes / layout.slabSize),
    decayMs,
  };
}
