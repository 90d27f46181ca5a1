/** `tslab top`: the size classes or epochs with the most of something. */
import { InputError, type OptionTable, type ParsedOptions, UsageError } from "../args.js";
import { type Command, type CommandStreams, EXIT_OK } from "../command.js";
import { formatDuration } from "../format.js";
import { canRedraw, type Ending, Pace } from "../screen/index.js";
import {
  type SampleSource,
  SOURCE_HELP,
  SOURCE_OPTIONS,
  SOURCE_POSITIONAL,
  TOKEN_OPTIONS,
} from "../sources/index.js";
import { outputWidth } from "../tables/index.js";
import { Feed, requireLive, withSource } from "../watch/feed.js";
import { Control, MAX_ROWS } from "./control.js";
import { EPOCH_METRICS } from "./epochs.js";
import { topJson } from "./json.js";
import { type Look, Looks } from "./looks.js";
import type { Kind } from "./metrics.js";
import { repeat } from "./repeat.js";
import { NO_EPOCHS, topLines } from "./tables.js";

const DEFAULT_WINDOW_MS = 1000;
const DEFAULT_INTERVAL_MS = 1000;
const DEFAULT_ROWS = 5;

const TIME = { kind: "duration", value: "TIME", min: 50, max: 86_400_000 } as const;

const OPTIONS: OptionTable = {
  classes: { kind: "flag", help: "rank size classes (the default)" },
  epochs: { kind: "flag", help: "rank epochs" },
  by: {
    kind: "text",
    value: "METRIC",
    help: "what to rank by (default slow_path_hits, of epochs rss_bytes)",
  },
  n: {
    kind: "integer",
    value: "N",
    min: 1,
    max: MAX_ROWS,
    short: "n",
    help: `rows (default ${DEFAULT_ROWS})`,
  },
  asc: { kind: "flag", help: "smallest first" },
  window: { ...TIME, help: "look twice, this long apart, and show rates (default 1s for a rate)" },
  interval: {
    ...TIME,
    short: "i",
    help: "look again and again, this long apart; on a terminal redrawn in place",
  },
  count: {
    kind: "integer",
    value: "N",
    min: 1,
    max: 1e9,
    short: "c",
    help: "print N times, one interval (default 1s) apart",
  },
  json: { kind: "flag", help: "one JSON object per line" },
  ...SOURCE_OPTIONS,
  ...TOKEN_OPTIONS,
};

const DESCRIPTION = [
  "Ranks size classes or epochs; the largest first, of equal ones the lowest id.",
  "",
  "Metrics of classes: slow_path_hits, new_slab_count, madvise_bytes, net_slabs and every other amount in",
  "classes[] of the stats document. Counters also per second, with _rate behind their name: slow_path_rate,",
  "new_slab_rate, bitmap_alloc_attempts_rate. A rate takes two looks, --window apart.",
  `Metrics of epochs: ${EPOCH_METRICS.join(", ")}. Slabs of an older era of the same ring`,
  "slot have a row of their own.",
  "",
  "With --interval on a terminal it is redrawn in place: c and e switch between classes and epochs, < and >",
  "between metrics, r reverses, + and - change the number of rows, space pauses, ? shows all keys, q quits.",
  "",
  SOURCE_HELP,
].join("\n");

export const topCommand: Command = {
  name: "top",
  summary: "size classes or epochs with the most of something",
  description: DESCRIPTION,
  options: OPTIONS,
  positionals: [SOURCE_POSITIONAL],
  examples: [
    { run: "tslab top --classes --window 1s --by slow_path_rate --n 5" },
    { run: "tslab top --epochs --by refcount --n 5", note: "who is still inside" },
    { run: "./stats_dump --no-text | tslab top --epochs --by age_sec --stdin" },
    { run: "tslab top --url http://127.0.0.1:2112 --interval 2s", note: "like top(1)" },
    { run: "tslab top --epochs --by rss_bytes --json | jq '.rows[].label'" },
  ],
  run,
};

async function run(options: ParsedOptions, streams: CommandStreams): Promise<number> {
  const control = controlOf(options);
  const { order } = control;
  const repeats = options.has("interval") || options.has("count");
  const ranksRates = order.kind === "classes" && order.by.perSec;
  const windowed = options.has("window") || ranksRates;
  if (windowed && !repeats) requireTwoLooks(options);

  return withSource(options, streams, windowed || repeats, async (source, ending) => {
    if (repeats) requireLive(source, options.has("interval") ? "--interval" : "--count");
    else if (windowed) requireLive(source, "--window");
    if (!repeats) return printOnce(source, control, options, streams, ending, windowed);
    const intervalMs = options.number("interval") ?? DEFAULT_INTERVAL_MS;
    return repeat({
      feed: new Feed(source),
      looks: new Looks(options.number("window") ?? intervalMs),
      control,
      streams,
      ending,
      intervalMs,
      count: options.number("count") ?? Infinity,
      // Rates of nothing are not worth a line.
      waitsForRates: windowed,
      redraws: canRedraw(streams) && !options.has("json"),
      write: (look) => write(look, control, options, streams),
    });
  });
}

function controlOf(options: ParsedOptions): Control {
  if (options.has("classes") && options.has("epochs")) {
    throw new UsageError("--classes and --epochs both say what to rank; leave one of them out");
  }
  const kind: Kind = options.has("epochs") ? "epochs" : "classes";
  return new Control({
    kind,
    by: options.text("by"),
    n: options.number("n") ?? DEFAULT_ROWS,
    ascending: options.has("asc"),
  });
}

/** Before anything is read: whoever pipes a document in need not wait for the message. */
function requireTwoLooks(options: ParsedOptions): void {
  if (!options.has("stdin") && options.positionals[0] !== "-") return;
  const what = options.has("window") ? "--window" : `--by ${options.text("by")}`;
  throw new UsageError(
    `${what} takes two looks at the heap, and standard input shows it once; ` +
      "use --exec 'COMMAND' (run twice) or --url URL instead",
  );
}

async function printOnce(
  source: SampleSource,
  control: Control,
  options: ParsedOptions,
  streams: CommandStreams,
  ending: Ending,
  windowed: boolean,
): Promise<number> {
  const windowMs = options.number("window") ?? DEFAULT_WINDOW_MS;
  const looks = new Looks(windowMs);
  let look = looks.add((await source.sample()).document);
  if (windowed) {
    if (!(await new Pace(windowMs).wait(ending.signal))) return ending.exitCode;
    look = looks.add((await source.sample()).document);
    requireSpan(look, source, windowMs);
  }
  write(look, control, options, streams);
  return EXIT_OK;
}

function requireSpan({ span, restarted }: Look, { description }: SampleSource, windowMs: number): void {
  if (span !== undefined) return;
  const why =
    restarted === undefined
      ? `showed the same document twice within ${formatDuration(windowMs)}; is it written less often? Try a longer --window`
      : `was restarted within the window (${restarted}); try again`;
  throw new InputError(`${description} ${why}`);
}

function write(look: Look, control: Control, options: ParsedOptions, streams: CommandStreams): void {
  const { document, span } = look;
  const { order } = control;
  if (options.has("json")) {
    streams.out.write(`${topJson(document, order, span)}\n`);
    if (order.kind === "epochs" && document.epochs.length === 0)
      streams.err.write(`tslab: top: ${NO_EPOCHS}\n`);
    return;
  }
  const lines = topLines(document, order, span, { width: outputWidth(streams), colors: streams.colors });
  streams.out.write(`${lines.join("\n")}\n`);
}
