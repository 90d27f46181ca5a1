/**
 * Text measured in columns of a terminal: a Chinese character takes two, a combining accent none. Colours (SGR
 * sequences) take none either and survive cutting; any other control sequence has no business in a text here.
 */
import stringWidth from "string-width";
import type { CommandStreams } from "../command.js";

export const ELLIPSIS = "…";

// biome-ignore lint/suspicious/noControlCharactersInRegex: an SGR sequence begins with ESC.
const COLOR = /(\u001b\[[0-9;]*m)/;
const COLORS = new RegExp(COLOR, "g");
const RESET = "\u001b[0m";
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/** Columns that `text` takes. */
export function displayWidth(text: string): number {
  const bare = text.includes("\u001b") ? text.replaceAll(COLORS, "") : text;
  return isPlain(bare) ? bare.length : stringWidth(bare);
}

/**
 * `text` in at most `width` columns, its end replaced by an ellipsis where it is longer. Never cuts a character that
 * people see as one; colours switched on before the cut are switched off after it.
 */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width < 1) return "";
  const room = width - displayWidth(ELLIPSIS);
  let taken = 0;
  let kept = "";
  let colored = false;
  // Odd parts are colours.
  for (const [i, part] of text.split(COLOR).entries()) {
    if (i % 2 === 1) {
      kept += part;
      colored = true;
      continue;
    }
    for (const { segment } of graphemes.segment(part)) {
      const columns = displayWidth(segment);
      if (taken + columns > room) return kept + ELLIPSIS + (colored ? RESET : "");
      kept += segment;
      taken += columns;
    }
  }
  return kept;
}

/** `text` followed by spaces up to `width` columns; text that is longer stays as it is. */
export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}

/** `text` after as many spaces as make `width` columns. */
export function padStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - displayWidth(text))) + text;
}

/** One column each: printable ASCII, bars of curves, the ellipsis. Nearly everything is; measuring graphemes is slow. */
const isPlain = (text: string): boolean => /^[ -~▁-█…]*$/.test(text);

/** Terminals that do not tell their width are taken for this wide. */
const UNKNOWN_WIDTH = 80;

/** The width to keep to on `out`; Infinity where it is no terminal: nothing is cut off then. */
export function outputWidth({ outIsTerminal, columns }: CommandStreams): number {
  const width = columns();
  return outIsTerminal && !Number.isFinite(width) ? UNKNOWN_WIDTH : width;
}
