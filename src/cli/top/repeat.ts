/** `top --interval`: look after look, in place on a terminal, one block after another elsewhere. */
import { InputError } from "../args.js";
import { type CommandStreams, EXIT_FINDING, EXIT_OK } from "../command.js";
import { type Ending, Pace, Screen } from "../screen/index.js";
import type { Feed } from "../watch/feed.js";
import type { Control } from "./control.js";
import type { Look, Looks } from "./looks.js";
import { topLines } from "./tables.js";
import { topScreen } from "./view.js";

export interface Repetition {
  readonly feed: Feed;
  readonly looks: Looks;
  readonly control: Control;
  readonly streams: CommandStreams;
  readonly ending: Ending;
  readonly intervalMs: number;
  readonly count: number;
  readonly waitsForRates: boolean;
  readonly redraws: boolean;
  /** Prints one look, where nothing is redrawn. */
  readonly write: (look: Look) => void;
}

/** Resolves to the exit code. */
export async function repeat(repetition: Repetition): Promise<number> {
  const { feed, looks, ending } = repetition;
  const first = looks.add((await feed.first()).document);
  if (ending.ended) return ending.exitCode;
  await (repetition.redraws ? redraw(repetition, first) : print(repetition, first));
  if (ending.ended) return ending.exitCode;
  return feed.error === undefined ? EXIT_OK : EXIT_FINDING;
}

/** The next look; undefined when the source failed, which `feed.error` tells. */
async function next({ feed, looks }: Repetition): Promise<Look | undefined> {
  const sample = await feed.next();
  if (sample === undefined) return undefined;
  try {
    return looks.add(sample.document);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    feed.fail(`${feed.description}: ${error.message}`);
    return undefined;
  }
}

async function print(repetition: Repetition, first: Look): Promise<void> {
  const { feed, streams, ending, intervalMs, count, waitsForRates, write } = repetition;
  const pace = new Pace(intervalMs);
  let done = 0;
  if (!waitsForRates) {
    write(first);
    done++;
  }
  while (done < count && (await pace.wait(ending.signal))) {
    const look = await next(repetition);
    if (ending.ended) return;
    done++;
    if (look === undefined) streams.err.write(`tslab: top: ${feed.error}; trying again\n`);
    else {
      if (look.restarted !== undefined) {
        streams.err.write(`tslab: top: restarted: ${look.restarted}; counted anew\n`);
      }
      write(look);
    }
  }
}

async function redraw(repetition: Repetition, first: Look): Promise<void> {
  const { feed, control, streams, ending, intervalMs, count } = repetition;
  let look = first;
  /** While paused, the newest look waits here. */
  let shown = first;
  const screen = new Screen(streams, ending, (key) => {
    if (!control.press(key)) return;
    if (!control.paused) shown = look;
    screen.refresh();
  });
  try {
    screen.show((size) => topScreen({ feed, intervalMs, control, look: shown }, size, streams.colors));
    const pace = new Pace(intervalMs);
    for (let done = 0; done < count && (await pace.wait(ending.signal)); done++) {
      look = (await next(repetition)) ?? look;
      if (ending.ended) return;
      if (!control.paused) shown = look;
      screen.refresh();
    }
  } finally {
    screen.close();
  }
  if (ending.ended) return;
  // The alternate screen is gone, and with it the table: the last one stays behind.
  const options = { width: screen.size.columns, colors: streams.colors };
  streams.out.write(`${topLines(look.document, control.order, look.span, options).join("\n")}\n`);
}
