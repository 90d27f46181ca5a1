/** Samples of a source that may fail now and then: a service that restarts, a file that is being written. */
import { InputError, type ParsedOptions, UsageError } from "../args.js";
import type { CommandStreams } from "../command.js";
import { Ending } from "../screen/index.js";
import { openSource, type Sample, type SampleSource } from "../sources/index.js";

export class Feed {
  readonly #source: SampleSource;
  /** Why there is no new sample; undefined while the source answers. */
  error: string | undefined;
  /** Samples that could not be had, one after another up to now. */
  failures = 0;

  constructor(source: SampleSource) {
    this.#source = source;
  }

  get description(): string {
    return this.#source.description;
  }

  /** The first sample. Fails like the source: whoever named a wrong one wants to know now. */
  first(): Promise<Sample> {
    return this.#source.sample();
  }

  /** The next sample, or undefined when the source fails; `error` then says why, and it can be asked again. */
  async next(): Promise<Sample | undefined> {
    try {
      const sample = await this.#source.sample();
      this.error = undefined;
      this.failures = 0;
      return sample;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.fail(error.message);
      return undefined;
    }
  }

  /** Counts a sample that is there but of no use. */
  fail(message: string): void {
    this.error = message;
    this.failures++;
  }
}

/**
 * Opens the source that the command line names for `work`, whose exit code is the command's, and closes it. When the
 * command is ended, a look that is under way is given up: that is no error.
 */
export async function withSource(
  options: ParsedOptions,
  streams: CommandStreams,
  live: boolean,
  work: (source: SampleSource, ending: Ending) => Promise<number>,
): Promise<number> {
  const source = await openSource(options, options.positionals, streams, { live });
  const ending = new Ending();
  // A look that is under way must not hold up the end.
  ending.signal.addEventListener("abort", () => void source.close(), { once: true });
  try {
    return await work(source, ending);
  } catch (error) {
    if (ending.ended && error instanceof InputError) return ending.exitCode;
    throw error;
  } finally {
    ending.release();
    await source.close();
  }
}

/** For commands that need more than one look. Throws `UsageError` when the source always says the same. */
export function requireLive(source: SampleSource, what: string): void {
  if (source.live) return;
  throw new UsageError(
    `${what} needs a source that can be read again, and ${source.description} cannot; ` +
      "use --exec 'COMMAND' (run again each time) or --url URL instead",
  );
}
