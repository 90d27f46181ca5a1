/** Samples of a source that may fail now and then: a service that restarts, a file that is being written. */
import { InputError, UsageError } from "../args.js";
import type { Ending } from "../screen/index.js";
import type { Sample, SampleSource } from "../sources/index.js";

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

/** A look that is under way when the command is ended must not hold it up. */
export function endsSource({ signal }: Ending, source: SampleSource): void {
  signal.addEventListener("abort", () => void source.close(), { once: true });
}

/** Whether a look failed because its command was ended. */
export function isGivenUp(error: unknown, { ended }: Ending): boolean {
  return ended && error instanceof InputError;
}

/** For commands that need more than one look. Throws `UsageError` when the source always says the same. */
export function requireLive(source: SampleSource, what: string): void {
  if (source.live) return;
  throw new UsageError(
    `${what} needs a source that can be read again, and ${source.description} cannot; ` +
      "use --exec 'COMMAND' (run again each time) or --url URL instead",
  );
}
