/** Documents one after another, and which of them rates are counted between. */
import { type StatsDocument, snapshotDelta } from "../../stats.js";
import { InputError } from "../args.js";
import { isStale } from "../watch/interval.js";
import { type Span, spanOf } from "./ranking.js";

/** One look at the heap. */
export interface Look {
  readonly document: StatsDocument;
  /** Undefined where there is nothing to compare with. */
  readonly span: Span | undefined;
  /** Why the document cannot be of the heap looked at before; undefined when it is. */
  readonly restarted: string | undefined;
}

export class Looks {
  readonly #windowNs: bigint;
  /** Oldest first; the first one is as old as the window asks, or the oldest there is. */
  #documents: StatsDocument[] = [];

  /** Rates are counted over the last `windowMs`, or as much of it as there was. */
  constructor(windowMs: number) {
    // Looks are never exactly as far apart as they should be: a little less than the window is enough of it.
    this.#windowNs = BigInt(Math.round(windowMs * 0.9e6));
  }

  /** Throws `InputError` when the document is older than the one before; nothing changes then. */
  add(document: StatsDocument): Look {
    const restarted = this.#restartReason(document);
    if (restarted !== undefined) this.#documents = [];
    this.#documents.push(document);
    const since = document.timestamp_ns - this.#windowNs;
    while (this.#documents.length > 2 && (this.#documents[1] as StatsDocument).timestamp_ns <= since) {
      this.#documents.shift();
    }
    const first = this.#documents[0] as StatsDocument;
    return { document, restarted, span: first === document ? undefined : spanOf(first, document) };
  }

  #restartReason(document: StatsDocument): string | undefined {
    const latest = this.#documents.at(-1);
    if (latest === undefined) return undefined;
    try {
      const { restarted, reason } = snapshotDelta(latest, document);
      return restarted ? (reason ?? "another heap") : undefined;
    } catch (error) {
      if (!isStale(error)) throw error;
      throw new InputError("the document is older than the one before");
    }
  }
}
