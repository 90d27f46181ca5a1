/** Opens the source that a command line names. */
import { type ParsedOptions, UsageError } from "../args.js";
import type { CommandStreams } from "../command.js";
import { printable } from "../format.js";
import { chooseSource, type SourceChoice } from "./choose.js";
import { TOKEN_VARIABLE } from "./options.js";
import type { Sample, SampleSource, TextSource } from "./types.js";

const DEFAULT_TIMEOUT_MS = 10_000;

export interface OpenOptions {
  /** The command samples again and again: a demo then starts at once and runs until it is closed. */
  readonly live?: boolean;
  /** Whether `--token` is for the source, as it is unless the command has another use for it. */
  readonly tokenIsForSource?: boolean;
}

/**
 * Opens what options, arguments or $TSLAB_SOURCE name, else a demo run, which is said on stderr. Whoever opens a source
 * closes it. Throws `UsageError` when two are named, `InputError` when there is no such file.
 */
export async function openSource(
  options: ParsedOptions,
  positionals: readonly string[],
  streams: CommandStreams,
  { live = false, tokenIsForSource = true }: OpenOptions = {},
): Promise<SampleSource> {
  const choice = chooseSource(options, positionals, streams.env);
  return openChoice(choice, streams, readerOptions([choice], options, streams, { live, tokenIsForSource }));
}

/** Of sources that are read with the same options. Throws `UsageError` when it is not clear which server the token is for. */
function readerOptions(
  choices: readonly SourceChoice[],
  options: ParsedOptions,
  streams: CommandStreams,
  { live = false, tokenIsForSource = true }: OpenOptions = {},
): ChoiceOptions {
  const origins = new Set(choices.flatMap((choice) => (choice.kind === "url" ? [choice.url.origin] : [])));
  const timeoutMs = options.number("timeout") ?? DEFAULT_TIMEOUT_MS;
  const given = tokenIsForSource ? options.text("token") : undefined;
  const token = given ?? variable(streams.env[TOKEN_VARIABLE]);
  if (token === undefined || origins.size === 0) return { live, timeoutMs, token: undefined };
  const name = given === undefined ? `$${TOKEN_VARIABLE}` : "--token";
  if (!/^[!-~]+$/.test(token)) {
    throw new UsageError(`${name}: a token is made of printable ASCII characters without spaces`);
  }
  if (origins.size > 1) {
    throw new UsageError(
      `${name}: a token is for one server, and these are two: ${[...origins].map(printable).join(" and ")}; ` +
        "save one of the documents first ('tslab dump --no-text --url URL > FILE') and name the file",
    );
  }
  return { live, timeoutMs, token };
}

export interface ChoiceOptions {
  readonly live: boolean;
  readonly timeoutMs: number;
  readonly token: string | undefined;
}

/** Opens what was chosen. The readers are loaded when they are needed: most runs need one. */
export async function openChoice(
  choice: SourceChoice,
  streams: CommandStreams,
  options: ChoiceOptions,
): Promise<SampleSource> {
  if (choice.kind === "demo") return (await import("./demo.js")).demoSource(choice, streams, options.live);
  const { samplesOf } = await import("./document.js");
  return samplesOf(await textSource(choice, streams, options));
}

async function textSource(
  choice: Exclude<SourceChoice, { kind: "demo" }>,
  streams: CommandStreams,
  options: ChoiceOptions,
): Promise<TextSource> {
  switch (choice.kind) {
    case "stdin":
      return (await import("./file.js")).stdinSource(streams);
    case "file":
      return (await import("./file.js")).fileSource(choice.path);
    case "url":
      return (await import("./url.js")).urlSource(choice.url, options);
    default:
      return (await import("./exec.js")).execSource(choice.command, options.timeoutMs);
  }
}

/** One document, from a source that is closed again. */
export async function sampleOnce(options: ParsedOptions, streams: CommandStreams): Promise<OneSample> {
  return sampleAndClose(await openSource(options, options.positionals, streams));
}

/**
 * Two documents, one after the other. Throws `UsageError` when both are
 * standard input, or of two servers with one token.
 */
export async function sampleBoth(
  first: NamedSource,
  second: NamedSource,
  options: ParsedOptions,
  streams: CommandStreams,
): Promise<readonly [first: OneSample, second: OneSample]> {
  if (first.choice.kind === "stdin" && second.choice.kind === "stdin") {
    throw new UsageError(
      `${first.name} and ${second.name} cannot both be standard input; name a file for one of them`,
    );
  }
  const readers = readerOptions([first.choice, second.choice], options, streams);
  const sample = async ({ choice }: NamedSource): Promise<OneSample> =>
    sampleAndClose(await openChoice(choice, streams, readers));
  return [await sample(first), await sample(second)];
}

export interface NamedSource {
  /** What to call it in an error. */
  readonly name: string;
  readonly choice: SourceChoice;
}

async function sampleAndClose(source: SampleSource): Promise<OneSample> {
  try {
    return { ...(await source.sample()), description: source.description };
  } finally {
    await source.close();
  }
}

export interface OneSample extends Sample {
  /** Where it came from. */
  readonly description: string;
}

const variable = (value: string | undefined): string | undefined => (value === "" ? undefined : value);
