/**
 * A terminal as far as the commands use one, strict: any control sequence it does not know is an error. It counts what is
 * written between the begin and end of an update, and remembers modes, so that a test can ask whether they were put back.
 */
import stringWidth from "string-width";

const GRAPHEMES = new Intl.Segmenter("en", { granularity: "grapheme" });
// biome-ignore lint/suspicious/noControlCharactersInRegex: control sequences begin with ESC.
const TOKEN = /\u001b\[(\??)([0-9;]*)([A-Za-z])|\r\n|\n|[^\u001b\r\n]+|[\s\S]/g;

export class Vt {
  /** Rows of cells; the second cell of a wide character is "". */
  cells: string[][];
  alternate = false;
  cursor = true;
  wrap = true;
  updating = false;
  colored = false;
  #row = 0;
  #column = 0;
  /** After a character in the last column the cursor stays on it. */
  #pending = false;

  constructor(columns: number, rows: number) {
    this.cells = Array.from({ length: rows }, () => new Array<string>(columns).fill("?"));
  }

  get columns(): number {
    return this.cells[0]?.length ?? 0;
  }

  /** What can be seen, without spaces at the ends of lines. */
  get lines(): string[] {
    return this.cells.map((row) => row.join("").trimEnd());
  }

  write(text: string): void {
    for (const [token, isPrivate, parameters = "", final] of text.matchAll(TOKEN)) {
      if (final !== undefined) this.#control(`${isPrivate}${parameters}${final}`, parameters);
      else if (token === "\n" || token === "\r\n") throw new Error("a line end on a screen that is redrawn");
      else if (token.startsWith("\u001b"))
        throw new Error(`an escape sequence cut off: ${JSON.stringify(text)}`);
      else for (const { segment } of GRAPHEMES.segment(token)) this.#put(segment);
    }
  }

  #control(sequence: string, parameters: string): void {
    const numbers = parameters.split(";").map(Number);
    if (sequence.endsWith("m"))
      this.colored = parameters !== "" && numbers.at(-1) !== 0 && !OFF.has(numbers.at(-1) as number);
    else if (sequence.endsWith("H")) {
      this.#row = (numbers[0] ?? 1) - 1;
      this.#column = (numbers[1] ?? 1) - 1;
      this.#pending = false;
    } else if (sequence === "K") this.#eraseFrom(this.#row, this.#column);
    else if (sequence === "J") {
      this.#eraseFrom(this.#row, this.#column);
      for (let row = this.#row + 1; row < this.cells.length; row++) this.#eraseFrom(row, 0);
    } else if (/^\?\d+[hl]$/.test(sequence)) this.#mode(numbers[0] as number, sequence.endsWith("h"));
    else throw new Error(`a control sequence this terminal does not know: ${JSON.stringify(sequence)}`);
  }

  #mode(mode: number, on: boolean): void {
    if (mode === 1049) this.alternate = on;
    else if (mode === 25) this.cursor = on;
    else if (mode === 7) this.wrap = on;
    else if (mode === 2026) this.updating = on;
    else throw new Error(`a mode this terminal does not know: ${mode}`);
  }

  #put(segment: string): void {
    const width = stringWidth(segment);
    if (width === 0) return;
    const row = this.cells[this.#row];
    if (row === undefined) throw new Error(`row ${this.#row} is not on the screen`);
    if (this.#pending || this.#column + width > this.columns)
      throw new Error(`a line is too long: ${segment}`);
    row[this.#column] = segment;
    for (let i = 1; i < width; i++) row[this.#column + i] = "";
    this.#column += width;
    this.#pending = this.#column === this.columns;
    if (this.#pending) this.#column--;
  }

  #eraseFrom(row: number, column: number): void {
    this.cells[row]?.fill(" ", column);
  }
}

/** Bold, underline and colour off again, one by one. */
const OFF: ReadonlySet<number> = new Set([22, 24, 39]);
