/** What `watch` shows on a terminal. */
import type { CommandStreams } from "../command.js";
import { ageText, formatDuration, plural, printable } from "../format.js";
import type { Size } from "../screen/index.js";
import { type Column, displayWidth, sparkline, tableLines } from "../tables/index.js";
import type { Feed } from "./feed.js";
import type { Figure } from "./figures.js";
import type { History } from "./history.js";
import type { Interval, Reading } from "./interval.js";
import { amountText, changeText, perSecText } from "./text.js";

export interface WatchState {
  readonly feed: Feed;
  readonly intervalMs: number;
  readonly history: History;
  readonly interval: Interval;
  /** The latest restart; undefined before one was seen. */
  readonly restart: { readonly reason: string; readonly atMs: number } | undefined;
  readonly paused: boolean;
  readonly nowMs: number;
}

type Colors = CommandStreams["colors"];

/** Curves narrower than this say nothing. */
const LEAST_CURVE = 10;
/** On the lowest screens. */
const LEAST_FIGURES = 3;
/** What curves cover, as far as the intervals allow. */
const CURVE_MS = 120_000;
const GAP = 2;
/** What a command said on stderr may be long. */
const MOST_ERROR_LINES = 3;

/** The lines for a screen of that size. */
export function watchLines(state: WatchState, { columns, rows }: Size, colors: Colors): string[] {
  const { feed, interval, intervalMs } = state;
  const title = `${colors.bold("tslab watch")}  ${feed.description}  every ${formatDuration(intervalMs)}`;
  const notices = noticeLines(state, colors);
  // The titles of the table and a few figures are there on any screen; other lines as far as there is room besides.
  let room = rows - 1 - notices.length - 1;
  const ifRoom = (...lines: string[]): string[] => {
    if (room - lines.length < LEAST_FIGURES) return [];
    room -= lines.length;
    return lines;
  };
  const keys = ifRoom(colors.dim("q quit   space pause   Ctrl-L repaint"));
  const heap = ifRoom(heapLine(interval));
  const blank = ifRoom("", "").slice(1);
  const table = figureTable(state, columns, Math.max(LEAST_FIGURES, room), colors);
  return [title, ...heap, ...notices, ...blank, ...table, ...blank, ...keys];
}

/** What is remarkable about the figures. */
function noticeLines(state: WatchState, colors: Colors): string[] {
  const { feed, interval, intervalMs, restart, paused, nowMs } = state;
  return [
    ...failureLines(feed, intervalMs, colors),
    ...(restart === undefined
      ? []
      : [
          colors.yellow(
            `restarted ${ageText((nowMs - restart.atMs) / 1000)} ago: ${printable(restart.reason)}; counted anew`,
          ),
        ]),
    ...(interval.seconds === 0 ? [colors.yellow("the same document as before: nothing to compare")] : []),
    ...(paused ? [colors.yellow("paused; space goes on")] : []),
  ];
}

/** That the source fails, and why; both commands that go on say it alike. */
export function failureLines({ error, failures }: Feed, intervalMs: number, colors: Colors): string[] {
  if (error === undefined) return [];
  const times = plural(failures, "time");
  return [
    colors.red(error.split("\n").slice(0, MOST_ERROR_LINES).join("  ")),
    colors.yellow(
      `asked again every ${formatDuration(intervalMs)}, ${times} without success; the figures below are older`,
    ),
  ];
}

function heapLine({ document }: Interval): string {
  const { heap, pid, current_epoch, active_epoch_count, closing_epoch_count } = document;
  const parts = [
    ...(pid > 0 ? [`pid ${pid}`] : []),
    ...(heap === undefined
      ? ["C allocator"]
      : [
          `up ${ageText(Number(document.timestamp_ns - heap.created_timestamp_ns) / 1e9)}`,
          plural(heap.attached_workers, "worker"),
        ]),
    `epoch ${current_epoch}, ${active_epoch_count} active, ${closing_epoch_count} closing`,
  ];
  return parts.join("  ");
}

function figureTable(state: WatchState, width: number, most: number, colors: Colors): string[] {
  const rows = chosen(state.interval.readings, most);
  const columns: Column<Reading>[] = [
    {
      title: "",
      align: "left",
      cell: ({ figure }) => (figure.isCause === true ? `  ${figure.name}` : figure.name),
      style: (text, { figure }) => (figure.isCause === true ? colors.dim(text) : text),
      shrinkTo: 22,
    },
    {
      title: "per second",
      minWidth: 10,
      cell: perSecText,
      style: (text, reading) => alarm(reading, colors.bold(text), colors),
    },
    {
      title: "now",
      minWidth: 10,
      cell: ({ figure, now }) =>
        figure.kind === "gauge" ? unitText(amountText(now, figure.unit), figure) : "",
      style: (text, reading) => alarm(reading, colors.bold(text), colors),
    },
    { title: "change", minWidth: 10, cell: changeText, rank: 2 },
    {
      title: "total",
      cell: ({ figure, now }) => (figure.kind === "counter" ? amountText(now, figure.unit) : ""),
      rank: 3,
    },
  ];
  const bare = tableLines(columns, rows, { width });
  const taken = Math.max(...bare.map(displayWidth));
  const room = Math.min(60, width - taken - GAP);
  if (room < LEAST_CURVE) return tableLines(columns, rows, { width, headerStyle: colors.underline });
  const span = Math.max(room, Math.round(CURVE_MS / state.intervalMs));
  const curve: Column<Reading> = {
    title: `last ${ageText((state.history.covered(room, span) * state.intervalMs) / 1000)}`,
    cell: ({ figure }) => sparkline(state.history.bars(figure.key, room, span), room),
    style: (text) => colors.cyan(text),
  };
  return tableLines([...columns, curve], rows, { width, headerStyle: colors.underline });
}

const unitText = (text: string, { unit }: Figure): string =>
  unit === "percent" && text !== "-" ? `${text}%` : text;

/** What should be 0 stands out when it is not. */
const ALARMS: ReadonlySet<string> = new Set([
  "leaks",
  "madvise_failures",
  "slow_out_of_memory",
  "slow_epoch_closed",
]);

function alarm({ figure, now, change }: Reading, text: string, colors: Colors): string {
  const amount = figure.kind === "gauge" ? now : change;
  return ALARMS.has(figure.key) && amount !== null && amount > 0 ? colors.red(text) : text;
}

/** As many readings as there is room for, the most important ones, in their order; causes that never were come last. */
function chosen(readings: readonly Reading[], most: number): readonly Reading[] {
  const rank = ({ figure, now }: Reading): number =>
    figure.rank + (figure.isCause === true && now === 0 ? 10 : 0);
  const kept = new Set([...readings].sort((a, b) => rank(a) - rank(b)).slice(0, most));
  return readings.filter((reading) => kept.has(reading));
}
