/** `tslab watch`: what changes, and how fast. */
import type { OptionTable, ParsedOptions } from "../args.js";
import { type Command, type CommandStreams, EXIT_FINDING, EXIT_OK } from "../command.js";
import { canRedraw, type Ending, Pace, Screen } from "../screen/index.js";
import { SOURCE_HELP, SOURCE_OPTIONS, SOURCE_POSITIONAL, TOKEN_OPTIONS } from "../sources/index.js";
import { outputWidth } from "../tables/index.js";
import { Feed, requireLive, withSource } from "./feed.js";
import { History } from "./history.js";
import { type Interval, intervalOf, isStale } from "./interval.js";
import { errorJson, intervalJson, LineTable } from "./lines.js";
import { type WatchState, watchLines } from "./view.js";

const DEFAULT_INTERVAL_MS = 1000;

const OPTIONS: OptionTable = {
  ...SOURCE_OPTIONS,
  ...TOKEN_OPTIONS,
  interval: {
    kind: "duration",
    value: "TIME",
    min: 50,
    max: 86_400_000,
    short: "i",
    help: "time between two looks (default 1s)",
  },
  count: {
    kind: "integer",
    value: "N",
    min: 1,
    max: 1e9,
    short: "c",
    help: "end after N intervals (default: go on until q or Ctrl-C)",
  },
  json: { kind: "flag", help: "one JSON object per line and interval" },
};

const DESCRIPTION = [
  "Looks at a heap again and again and shows what changed: allocations, slow path by cause, slabs, memory,",
  "epochs closed and what that gave back, page releases, leaks. On a terminal it redraws in place, with a",
  "curve of the last minutes; elsewhere it prints a line per interval.",
  "",
  "A source that fails is asked again at the next interval, and the message stays on the screen until it",
  "answers. When the service was restarted this is said, and counting starts anew.",
  "",
  "Keys: q or Ctrl-C ends, space pauses, Ctrl-L repaints, Ctrl-Z stops.",
  "Exit code: 0, also after Ctrl-C; 1 when the last of --count intervals found no document;",
  "128 and the signal's number after another signal.",
  "",
  SOURCE_HELP,
].join("\n");

export const watchCommand: Command = {
  name: "watch",
  summary: "show what changes from second to second",
  description: DESCRIPTION,
  options: OPTIONS,
  positionals: [SOURCE_POSITIONAL],
  examples: [
    { run: "tslab watch --count 5", note: "a demo run, five intervals" },
    { run: "tslab watch --url http://127.0.0.1:2112" },
    { run: "tslab watch --exec './stats_dump --no-text' --interval 5s", note: "the C allocator's program" },
    { run: "tslab watch --count 3 --json | jq .per_sec.slow_path" },
  ],
  run,
};

function run(options: ParsedOptions, streams: CommandStreams): Promise<number> {
  return withSource(options, streams, true, (source, ending) => {
    requireLive(source, "watch");
    return new Watch(new Feed(source), options, streams, ending).run();
  });
}

class Watch {
  readonly #feed: Feed;
  readonly #intervalMs: number;
  readonly #count: number;
  readonly #json: boolean;
  readonly #streams: CommandStreams;
  readonly #ending: Ending;
  readonly #history = new History();
  readonly #table = new LineTable();
  #screen: Screen | undefined;
  #interval: Interval | undefined;
  #restart: WatchState["restart"];
  #paused = false;

  constructor(feed: Feed, options: ParsedOptions, streams: CommandStreams, ending: Ending) {
    this.#feed = feed;
    this.#intervalMs = options.number("interval") ?? DEFAULT_INTERVAL_MS;
    this.#count = options.number("count") ?? Infinity;
    this.#json = options.has("json");
    this.#streams = streams;
    this.#ending = ending;
  }

  async run(): Promise<number> {
    const first = await this.#feed.first();
    this.#interval = intervalOf(undefined, first.document);
    try {
      if (canRedraw(this.#streams) && !this.#json) this.#openScreen();
      const pace = new Pace(this.#intervalMs);
      for (let done = 0; done < this.#count && (await pace.wait(this.#ending.signal)); done++)
        await this.#look();
    } finally {
      this.#screen?.close();
    }
    if (this.#ending.ended) return this.#ending.exitCode;
    this.#leaveLastFrame();
    return this.#feed.error === undefined ? EXIT_OK : EXIT_FINDING;
  }

  async #look(): Promise<void> {
    const interval = await this.#next();
    if (this.#ending.ended) return;
    if (interval === undefined) {
      this.#history.addGap();
      this.#report(this.#feed.error ?? "");
    } else {
      this.#interval = interval;
      this.#history.add(interval);
      if (interval.restarted !== undefined) this.#restart = { reason: interval.restarted, atMs: Date.now() };
      this.#print(interval);
    }
    if (!this.#paused) this.#screen?.refresh();
  }

  async #next(): Promise<Interval | undefined> {
    const sample = await this.#feed.next();
    if (sample === undefined) return undefined;
    try {
      return intervalOf(this.#interval?.document, sample.document);
    } catch (error) {
      if (!isStale(error)) throw error;
      this.#feed.fail(`${this.#feed.description}: the document is older than the one before`);
      return undefined;
    }
  }

  #print(interval: Interval): void {
    if (this.#screen !== undefined) return;
    const { out } = this.#streams;
    if (this.#json) out.write(`${intervalJson(interval)}\n`);
    else for (const line of this.#table.next(interval, outputWidth(this.#streams))) out.write(`${line}\n`);
  }

  #report(error: string): void {
    if (this.#screen !== undefined) return;
    this.#streams.err.write(`tslab: watch: ${error}; trying again\n`);
    if (this.#json) this.#streams.out.write(`${errorJson(error, Date.now())}\n`);
  }

  #openScreen(): void {
    let frozen: WatchState | undefined;
    const state = (): WatchState => frozen ?? this.#state();
    this.#screen = new Screen(this.#streams, this.#ending, (key) => {
      if (key !== " " && key !== "p") return;
      this.#paused = !this.#paused;
      frozen = this.#paused ? this.#state() : undefined;
      this.#screen?.refresh();
    });
    this.#screen.show((size) => watchLines(state(), size, this.#streams.colors));
  }

  #state(): WatchState {
    return {
      feed: this.#feed,
      intervalMs: this.#intervalMs,
      history: this.#history,
      interval: this.#interval as Interval,
      restart: this.#restart,
      paused: this.#paused,
      nowMs: Date.now(),
    };
  }

  /** The alternate screen is gone, and with it the figures: those of the last interval stay behind. */
  #leaveLastFrame(): void {
    if (this.#screen === undefined) return;
    const { columns } = this.#screen.size;
    const lines = watchLines(this.#state(), { columns, rows: Infinity }, this.#streams.colors);
    // Without the line of keys.
    this.#streams.out.write(`${lines.slice(0, -2).join("\n")}\n`);
  }
}
