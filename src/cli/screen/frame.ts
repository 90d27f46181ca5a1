/** What must be written so that the screen shows other lines than before. */
import { displayWidth, truncate } from "../tables/index.js";
import { BEGIN_UPDATE, END_UPDATE, ERASE_BELOW, ERASE_LINE_END, toRow } from "./sequences.js";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The lines as they fit: neither more nor longer than the screen has room for. */
export function clip(lines: readonly string[], { columns, rows }: Size): string[] {
  return lines.slice(0, rows).map((line) => truncate(line, columns));
}

/**
 * Control sequences and text that turn `before` into `after`, both as `clip` made them for the same size; "" when nothing
 * changed. `before` undefined: the screen may show anything.
 *
 * Text first, then what is behind it is erased: a line that is erased first is seen to flicker. At the right margin there
 * is nothing behind it, and erasing would take the last character, because the cursor stays on it.
 */
export function frameUpdate(
  before: readonly string[] | undefined,
  after: readonly string[],
  size: Size,
): string {
  const paint = (line: string, row: number): string =>
    toRow(row) + line + (displayWidth(line) < size.columns ? ERASE_LINE_END : "");
  const changed = after.map((line, row) => (line === before?.[row] ? "" : paint(line, row))).join("");
  const left = before === undefined ? size.rows : before.length;
  const rest = after.length < left ? toRow(after.length) + ERASE_BELOW : "";
  const all = changed + rest;
  return all === "" ? "" : BEGIN_UPDATE + all + END_UPDATE;
}
