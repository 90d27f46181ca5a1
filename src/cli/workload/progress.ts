/** Live progress on stderr: one line redrawn on a terminal, a line per second elsewhere. */
import type { CommandStreams } from "../command.js";
import { formatBytes, formatCount, formatRate, formatSeconds, formatShare } from "../format.js";
import type { RunProgress } from "./run.js";

const CLEAR_LINE = "\r\u001b[2K";

/** Prints what a run looks like while it goes on. */
export class ProgressLine {
  /** How often a new line makes sense. */
  readonly everyMs: number;
  readonly #streams: CommandStreams;
  #lastOperations = 0;
  #lastElapsed = 0;

  constructor(streams: CommandStreams) {
    this.#streams = streams;
    this.everyMs = streams.errIsTerminal ? 250 : 1000;
  }

  show(progress: RunProgress): void {
    const text = this.#text(progress);
    if (!this.#streams.errIsTerminal) {
      this.#streams.err.write(`${text}\n`);
      return;
    }
    const { columns } = process.stderr;
    this.#streams.err.write(CLEAR_LINE + (columns > 0 ? text.slice(0, columns - 1) : text));
  }

  /** Leaves an empty line for the report. */
  clear(): void {
    if (this.#streams.errIsTerminal) this.#streams.err.write(CLEAR_LINE);
  }

  #text({
    elapsedSec,
    tally,
    counters,
    slabSize,
    rssBytes,
    releasedBytes,
    working,
    kills,
  }: RunProgress): string {
    const operations = counters.allocCount + counters.freeCount;
    const perSec = (operations - this.#lastOperations) / Math.max(0.001, elapsedSec - this.#lastElapsed);
    this.#lastOperations = operations;
    this.#lastElapsed = elapsedSec;
    const slow = counters.slowPathHits / Math.max(1, counters.allocCount);
    return [
      formatSeconds(elapsedSec),
      `${formatRate(perSec)} ops/s`,
      `${formatCount(tally.requests)} requests`,
      `slow path ${formatShare(slow)}`,
      `live ${formatCount(counters.liveObjects)}`,
      `committed ${formatBytes(counters.committedSlabs * slabSize)}`,
      `RSS ${formatBytes(rssBytes)}`,
      ...(releasedBytes > 0 ? [`given back ${formatBytes(releasedBytes)}`] : []),
      `${working} working`,
      ...(kills > 0 ? [`${kills} killed`] : []),
      ...(tally.damage > 0 ? [`DAMAGE ${tally.damage}`] : []),
    ].join(" | ");
  }
}
