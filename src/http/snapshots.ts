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

interface Taken {
  readonly document: StatsDocument;
  /** When, on a clock that does not jump. */
  readonly atMs: number;
}

export class Snapshots {
  readonly #take: () => StatsDocument | Promise<StatsDocument>;
  readonly #times: SnapshotTimes;
  #underWay: Promise<StatsDocument> | undefined;
  #latest: Taken | undefined;
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

  /** A document at most `snapshotMaxAgeMs` old. Rejects with {@link SnapshotFailure}. */
  take(): Promise<StatsDocument> {
    const { snapshotMaxAgeMs } = this.#times;
    if (this.#latest !== undefined && performance.now() - this.#latest.atMs < snapshotMaxAgeMs) {
      return Promise.resolve(this.#latest.document);
    }
    this.#underWay ??= this.#fresh().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  /** The document to judge `document` by: one of at least `healthWindowMs` ago, or the oldest there is. */
  baselineOf(document: StatsDocument): StatsDocument | undefined {
    for (const taken of [this.#older, this.#newer]) {
      if (taken !== undefined && taken.document !== document) return taken.document;
    }
    return undefined;
  }

  async #fresh(): Promise<StatsDocument> {
    const { snapshotTimeoutMs } = this.#times;
    const deadline = new Deadline(snapshotTimeoutMs);
    try {
      const document = await Promise.race([
        // A source that throws at once rejects like any other.
        (async () => documentOf(await this.#take(), "what the source returned"))(),
        deadline.passed.then(() => {
          throw new SnapshotFailure(`the source gave no document within ${snapshotTimeoutMs} ms`);
        }),
      ]);
      this.#keep(document);
      return document;
    } catch (error) {
      if (error instanceof SnapshotFailure) throw error;
      throw new SnapshotFailure(error instanceof Error ? error.message : String(error), { cause: error });
    } finally {
      deadline.cancel();
    }
  }

  #keep(document: StatsDocument): void {
    const taken = { document, atMs: performance.now() };
    this.#latest = taken;
    if (this.#newer === undefined || taken.atMs - this.#newer.atMs >= this.#times.healthWindowMs) {
      this.#older = this.#newer;
      this.#newer = taken;
    }
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
