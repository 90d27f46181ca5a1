/** Opens the source that a command line names. */
import type { ParsedOptions } from "../args.js";
import type { CommandStreams } from "../command.js";
import { chooseSource, type SourceChoice, sourceFromText } from "./choose.js";
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
  return openChoice(choice, streams, readerOptions(options, streams, { live, tokenIsForSource }));
}

function readerOptions(
  options: ParsedOptions,
  streams: CommandStreams,
  { live = false, tokenIsForSource = true }: OpenOptions = {},
): ChoiceOptions {
  const token = tokenIsForSource ? options.text("token") : undefined;
  return {
    live,
    timeoutMs: options.number("timeout") ?? DEFAULT_TIMEOUT_MS,
    token: token ?? variable(streams.env[TOKEN_VARIABLE]),
  };
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
  const source = await openSource(options, options.positionals, streams);
  try {
    return { ...(await source.sample()), description: source.description };
  } finally {
    await source.close();
  }
}

/**
 * One document from a source given as text: an address, `exec:COMMAND`, `-` or a path. `option`: what to call it in an
 * error.
 */
export async function openText(
  text: string,
  option: string,
  options: ParsedOptions,
  streams: CommandStreams,
): Promise<OneSample> {
  const source = await openChoice(sourceFromText(text, option), streams, readerOptions(options, streams));
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
