/**
 * Aligned tables that keep to a width: first long texts are shortened, then columns that matter least are left out.
 * Cells are plain text; colour is put on after everything has been measured.
 */
import type { CommandStreams } from "../command.js";
import { formatCount, printable } from "../format.js";
import { displayWidth, padEnd, padStart, truncate } from "./width.js";

export interface Column<Row> {
  readonly title: string;
  /** Plain text; control characters in it are made visible. */
  readonly cell: (row: Row) => string;
  /** Names are left, numbers right; default right. */
  readonly align?: "left" | "right";
  /**
   * Columns with higher numbers are left out first when the table is too wide, of equal ones the last; 0, the default,
   * stays whatever happens.
   */
  readonly rank?: number;
  /** Least width in columns; the column is padded to it even when all cells are shorter. */
  readonly minWidth?: number;
  /** Cells may be cut down to this many columns when the table is too wide; default: never. */
  readonly shrinkTo?: number;
  /** Colours the cell, padding included. */
  readonly style?: (text: string, row: Row) => string;
}

export interface TableOptions {
  /** Columns of the terminal; default unlimited. */
  readonly width?: number;
  /** Colours the line of titles. */
  readonly headerStyle?: (text: string) => string;
  /** False leaves the titles out; default true. */
  readonly header?: boolean;
}

const GAP = "  ";

/** The lines of the table, titles first. None has spaces at its end, unless a style colours them. */
export function tableLines<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: TableOptions = {},
): string[] {
  const { width = Infinity, headerStyle = (text) => text, header = true } = options;
  const cells = columns.map((column) => rows.map((row) => printable(column.cell(row))));
  const layout = keepTo(
    width,
    columns.map((column, i) => ({
      column,
      texts: cells[i] as string[],
      width: (cells[i] as string[]).reduce(
        (most, text) => Math.max(most, displayWidth(text)),
        Math.max(column.minWidth ?? 0, header ? displayWidth(column.title) : 0),
      ),
    })),
  );
  const line = (texts: readonly string[]): string => texts.join(GAP).trimEnd();
  const body = rows.map((row, r) =>
    line(
      layout.map((place, i) => {
        const { style } = place.column;
        const text = put(place.texts[r] as string, place, i === layout.length - 1);
        return style === undefined ? text : style(text, row);
      }),
    ),
  );
  if (!header) return body.map((text) => truncate(text, width));
  const titles = headerStyle(
    line(layout.map((place, i) => put(place.column.title, place, i === layout.length - 1))),
  );
  return [titles, ...body].map((text) => truncate(text, width));
}

/** The table as text, without a line end behind its last line. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: TableOptions = {},
): string {
  return tableLines(columns, rows, options).join("\n");
}

interface Place<Row> {
  readonly column: Column<Row>;
  readonly texts: readonly string[];
  readonly width: number;
}

function put<Row>(text: string, { column, width }: Place<Row>, isLast: boolean): string {
  const cut = truncate(text, width);
  if (column.align !== "left") return padStart(cut, width);
  return isLast ? cut : padEnd(cut, width);
}

/** The columns that fit, as wide as they may be. */
function keepTo<Row>(width: number, places: readonly Place<Row>[]): readonly Place<Row>[] {
  let kept = places;
  while (total(kept.map(smallest)) > width) {
    const least = Math.max(...kept.map(({ column }) => column.rank ?? 0));
    if (least === 0) break;
    const dropped = kept.findLastIndex(({ column }) => column.rank === least);
    kept = kept.filter((_, i) => i !== dropped);
  }
  // The first that may be shorter gives way first.
  let excess = total(kept) - width;
  return kept.map((place) => {
    const given = Math.max(0, Math.min(excess, place.width - smallest(place).width));
    excess -= given;
    return { ...place, width: place.width - given };
  });
}

function smallest<Row>(place: Place<Row>): Place<Row> {
  const { shrinkTo = place.width } = place.column;
  return { ...place, width: Math.min(place.width, Math.max(shrinkTo, place.column.minWidth ?? 0)) };
}

function total<Row>(places: readonly Place<Row>[]): number {
  return places.reduce((sum, { width }) => sum + width, GAP.length * Math.max(0, places.length - 1));
}

/** What a report needs to know of the stream it goes to. */
export type Page = Pick<CommandStreams, "colors" | "columns">;

/**
 * A table below an empty line and its title; nothing where there are no rows. Of more than `most` rows the first ones, and
 * how many were left out.
 */
export function tableSection<Row>(
  title: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { colors, columns: width }: Page,
  most = Infinity,
): string[] {
  if (rows.length === 0) return [];
  const lines = tableLines(columns, rows.slice(0, most), { width: width(), headerStyle: colors.dim });
  const more = rows.length - most;
  return ["", colors.bold(title), ...lines, ...(more > 0 ? [`and ${formatCount(more)} more`] : [])];
}
