/** Stats documents for requests: taken when somebody asks, shared by those who ask at the same time. */
import { describeValue, InvalidTypeError } from "../allocator/index.js";
import { documentOf, type StatsDocument, type StatsSource } from "../stats/index.js";
import { Deadline } from "./deadline.js";

/**
 * Where documents come from: a `StatsReader` or another object with a `snapshot()`, a document, or a function that
 * returns one or a promise of one. The function is called again for each document and never twice at a time.
 */
export type TelemetrySource = StatsSource | (() => StatsDocument | Promise<StatsDocument>);

/** No document could be had; the message says why, in the words of the source. */
export class SnapshotFailure extends Error {}

export interface SnapshotTimes {
  readonly snapshotMaxAgeMs: number;
  readonly snapshotTimeoutMs: number;
  readonly healthWindowMs: number;
}

/** A document as it was given. One that is given again counts as another: it may have been changed in place. */
export interface Taken {
  readonly document: StatsDocument;
  /** When, on a clock that does not jump. */
  readonly atMs: number;
  /** What requests that share it have been answered with. */
  readonly answers: Map<string, Uint8Array>;
}

/** A failure is shared for at most this long: whoever mended the source wants to see it. */
const FAILURE_MS = 1000;

export class Snapshots {
  readonly #take: () => StatsDocument | Promise<StatsDocument>;
  readonly #times: SnapshotTimes;
  /** Until the source has answered, even if nobody waits any more: it is never asked twice at a time. */
  #underWay: Promise<Taken> | undefined;
  #latest: Taken | undefined;
  #failed: { readonly failure: SnapshotFailure; readonly atMs: number } | undefined;
  /** What health is judged since is `#older`; `#newer` takes its place when it is old enough itself. */
  #older: Taken | undefined;
  #newer: Taken | undefined;

  constructor(source: TelemetrySource, times: SnapshotTimes) {
    this.#take = takerOf(source);
    this.#times = times;
    // So that the first request has something to compare with. Functions may be costly: they wait until they are asked.
    if (typeof source !== "function") {
      try {
        this.#keep(documentOf(source));
      } catch {
        // Whoever asks is told.
      }
    }
  }

  /**
   * A document at most `snapshotMaxAgeMs` old. Rejects with {@link SnapshotFailure}, which is shared for as long, but not
   * for more than {@link FAILURE_MS}: a source in trouble is not asked more often than one that works.
   */
  async take(): Promise<Taken> {
    const { snapshotMaxAgeMs, snapshotTimeoutMs } = this.#times;
    if (this.#latest !== undefined && performance.now() - this.#latest.atMs < snapshotMaxAgeMs) {
      return this.#latest;
    }
    const failed = this.#failed;
    if (failed !== undefined && performance.now() - failed.atMs < Math.min(snapshotMaxAgeMs, FAILURE_MS)) {
      throw failed.failure;
    }
    this.#underWay ??= this.#fresh().finally(() => {
      this.#underWay = undefined;
    });
    const deadline = new Deadline(snapshotTimeoutMs);
    try {
      return await Promise.race([
        this.#underWay,
        deadline.passed.then(() => {
          throw new SnapshotFailure(`the source gave no document within ${snapshotTimeoutMs} ms`);
        }),
      ]);
    } finally {
      deadline.cancel();
    }
  }

  /** The document to judge `document` by: one of at least `healthWindowMs` ago, or the oldest there is. */
  baselineOf(document: StatsDocument): StatsDocument | undefined {
    for (const taken of [this.#older, this.#newer]) {
      if (taken !== undefined && taken.document !== document) return taken.document;
    }
    return undefined;
  }

  /** Takes as long as the source does. */
  async #fresh(): Promise<Taken> {
    try {
      return this.#keep(documentOf(await this.#take(), "what the source returned"));
    } catch (error) {
      const failure = new SnapshotFailure(error instanceof Error ? error.message : String(error), {
        cause: error,
      });
      this.#failed = { failure, atMs: performance.now() };
      throw failure;
    }
  }

  #keep(document: StatsDocument): Taken {
    const taken: Taken = { document, atMs: performance.now(), answers: new Map() };
    this.#latest = taken;
    this.#failed = undefined;
    if (this.#newer === undefined || taken.atMs - this.#newer.atMs >= this.#times.healthWindowMs) {
      this.#older = this.#newer;
      this.#newer = taken;
    }
    return taken;
  }
}

function takerOf(source: TelemetrySource): () => StatsDocument | Promise<StatsDocument> {
  if (typeof source === "function") return source;
  // A reader is asked when somebody asks for it; a document must be one right away.
  if (isReader(source)) return () => documentOf(source);
  if (isDocument(source)) return () => source;
  throw new InvalidTypeError(
    "source must be a StatsReader, an object with a snapshot(), a stats document, or a function that returns one; " +
      `got ${describeValue(source)}.`,
  );
}

function isReader(source: unknown): source is { snapshot(): StatsDocument } {
  const { snapshot }: { snapshot?: unknown } = typeof source === "object" && source !== null ? source : {};
  return typeof snapshot === "function";
}

function isDocument(source: unknown): source is StatsDocument {
  try {
    documentOf(source as StatsDocument);
    return true;
  } catch {
    return false;
  }
}
