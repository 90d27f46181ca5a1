/** What `top` shows on a terminal that it redraws. */
import type { CommandStreams } from "../command.js";
import { formatDuration, printable } from "../format.js";
import type { Size } from "../screen/index.js";
import { padEnd } from "../tables/index.js";
import type { Feed } from "../watch/feed.js";
import { failureLines } from "../watch/view.js";
import { type Control, KEYS_HELP } from "./control.js";
import type { Look } from "./looks.js";
import { topLines } from "./tables.js";

type Colors = CommandStreams["colors"];

export interface TopState {
  readonly feed: Feed;
  readonly intervalMs: number;
  readonly control: Control;
  readonly look: Look;
}

export function topScreen(
  { feed, intervalMs, control, look }: TopState,
  { columns }: Size,
  colors: Colors,
): string[] {
  const title = `${colors.bold("tslab top")}  ${feed.description}  every ${formatDuration(intervalMs)}`;
  const notices = [
    ...failureLines(feed, intervalMs, colors),
    ...(look.restarted === undefined
      ? []
      : [colors.yellow(`restarted: ${printable(look.restarted)}; counted anew`)]),
    ...(control.paused ? [colors.yellow("paused; space goes on")] : []),
  ];
  return [
    title,
    ...notices,
    "",
    ...topLines(look.document, control.order, look.span, { width: columns, colors }),
    "",
    ...keyLines(control.help, colors),
  ];
}

function keyLines(all: boolean, colors: Colors): string[] {
  if (!all) return [colors.dim("q quit   c/e classes/epochs   </> metric   r reverse   +/- rows   ? help")];
  const width = Math.max(...KEYS_HELP.map(([keys]) => keys.length)) + 3;
  return KEYS_HELP.map(([keys, what]) => `${colors.bold(padEnd(keys, width))}${what}`);
}
