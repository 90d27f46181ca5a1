/**
 * Defends: tables are aligned by what a terminal shows, keep to its width, give up the least important columns first, and
 * let nothing from a label reach the terminal as control.
 * Method: golden tables, and properties over any cells and widths.
 */
import fc from "fast-check";
import { createColors } from "picocolors";
import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import {
  type Column,
  renderTable,
  sparkline,
  tableLines,
  tableSection,
} from "../../../src/cli/tables/index.js";

type Row = readonly [id: string, size: string, label: string];
const COLUMNS: readonly Column<Row>[] = [
  { title: "id", cell: ([id]) => id },
  { title: "size", cell: ([, size]) => size, rank: 1 },
  { title: "label", align: "left", cell: ([, , label]) => label, shrinkTo: 6 },
  { title: "note", align: "left", cell: () => "n", rank: 2 },
];
const ROWS: readonly Row[] = [
  ["1", "4 MiB", "GET /users"],
  ["12", "65.50 KiB", "日本語"],
  ["7", "0 B", ""],
];

describe("a table", () => {
  it("is aligned by columns of the terminal, names left and numbers right", () => {
    expect(renderTable(COLUMNS, ROWS)).toBe(
      [
        "id       size  label       note",
        " 1      4 MiB  GET /users  n",
        "12  65.50 KiB  日本語      n",
        " 7        0 B              n",
      ].join("\n"),
    );
  });

  it("shortens what may be, then gives up the columns that matter least, and at last is cut off", () => {
    expect(renderTable(COLUMNS, ROWS, { width: 30 })).toBe(
      [
        "id       size  label      note",
        " 1      4 MiB  GET /use…  n",
        "12  65.50 KiB  日本語     n",
        " 7        0 B             n",
      ].join("\n"),
    );
    expect(renderTable(COLUMNS, ROWS, { width: 25 })).toBe(
      ["id       size  label", " 1      4 MiB  GET /users", "12  65.50 KiB  日本語", " 7        0 B"].join(
        "\n",
      ),
    );
    expect(renderTable(COLUMNS, ROWS, { width: 13 })).toBe(
      ["id  label", " 1  GET /use…", "12  日本語", " 7"].join("\n"),
    );
    expect(renderTable(COLUMNS, ROWS, { width: 7 })).toBe(["id  la…", " 1  GE…", "12  日…", " 7"].join("\n"));
  });

  it("may have any number of rows", () => {
    const rows = Array.from({ length: 200_000 }, (_, i) => String(i));
    const lines = tableLines([{ title: "n", cell: (row: string) => row }], rows);
    expect(lines).toHaveLength(200_001);
    expect(lines.at(1)).toBe("     0");
  });

  it("in a page is as long as it may be, and says how much is missing", () => {
    const page = { colors: createColors(false), columns: () => Infinity };
    const columns = [{ title: "n", cell: (row: number) => String(row) }];
    expect(tableSection("T", columns, [1, 2, 3], page, 2)).toEqual(["", "T", "n", "1", "2", "and 1 more"]);
    expect(tableSection("T", columns, [1, 2], page, 2)).toEqual(["", "T", "n", "1", "2"]);
  });

  it("colours after measuring", () => {
    const [id, size] = COLUMNS as [Column<Row>, Column<Row>];
    const red = (text: string): string => `<${text}>`;
    const lines = tableLines([{ ...id, style: red }, size], ROWS.slice(0, 2), { headerStyle: red });
    expect(lines).toEqual(["<id       size>", "< 1>      4 MiB", "<12>  65.50 KiB"]);
  });

  it("can go without titles, and be empty", () => {
    expect(tableLines(COLUMNS, ROWS.slice(0, 1), { header: false })).toEqual(["1  4 MiB  GET /users  n"]);
    expect(tableLines(COLUMNS, [])).toEqual(["id  size  label  note"]);
    expect(tableLines([], [])).toEqual([""]);
  });

  it("makes hostile labels harmless", () => {
    const hostile = "\u001b[2J\u001b]0;x\u0007\n\r\u202e\u0085";
    const text = renderTable(COLUMNS, [["1", "2", hostile]]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is the point.
    expect(text.split("\n").join("")).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    expect(text).toContain("\\u{1b}[2J");
    expect(text.split("\n")).toHaveLength(2);
  });

  const anyCell = fc.string({ unit: "binary", maxLength: 20 });
  it("never is wider than asked, whatever the cells hold", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(anyCell, anyCell, anyCell)),
        fc.integer({ min: 0, max: 60 }),
        (rows, width) => {
          for (const line of tableLines(COLUMNS, rows, { width })) {
            expect(stringWidth(line)).toBeLessThanOrEqual(width);
          }
        },
      ),
    );
  });

  it("loses nothing where there is no limit", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(), fc.string({ unit: "grapheme-ascii", maxLength: 30 }))),
        (rows) => {
          const columns: Column<(typeof rows)[number]>[] = [
            { title: "number", cell: ([number]) => String(number), rank: 1 },
            { title: "text", align: "left", cell: ([, text]) => text, shrinkTo: 1 },
          ];
          const lines = tableLines(columns, rows);
          rows.forEach(([number, text], i) => {
            expect(lines[i + 1]?.trimStart()).toBe(`${number}  ${text}`.trimEnd());
          });
        },
      ),
    );
  });
});

describe("a sparkline", () => {
  it("stands on 0, peaks at the largest value, and leaves gaps where nothing is known", () => {
    expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7, 8], 9)).toBe("▁▁▂▃▄▅▆▇█");
    expect(sparkline([5, null, 5], 5)).toBe("  █ █");
    expect(sparkline([0, 0], 2)).toBe("▁▁");
    expect(sparkline([1, 2, 3], 2)).toBe("▆█");
    expect(sparkline([], 3)).toBe("   ");
    expect(sparkline([1], 0)).toBe("");
  });

  it("is exactly as wide as asked, whatever the values", () => {
    const value = fc.option(fc.double({ noNaN: true, min: -1e300, max: 1e300 }));
    fc.assert(
      fc.property(fc.array(value), fc.integer({ min: 0, max: 80 }), (values, width) => {
        const line = sparkline(values, width);
        expect(line).toHaveLength(width);
        expect(line).toMatch(/^[ ▁▂▃▄▅▆▇█]*$/);
      }),
    );
  });
});
