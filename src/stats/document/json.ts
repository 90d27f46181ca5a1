/**
 * JSON of stats documents. Timestamps in nanoseconds and the C allocator's counters exceed 2^53 - 1, which `JSON.parse`
 * rounds and `JSON.stringify` refuses as bigints; Node 20 has neither `JSON.rawJSON` nor the text of a number in a
 * reviver. So digits are written and read here.
 */
import { InvalidTypeError, InvalidValueError } from "../../allocator/errors.js";
import { describe } from "../../allocator/memory/size-classes.js";
import type { StatsDocument } from "./document.js";
import type { Count } from "./field.js";
import { FIELDS_OF } from "./sections.js";

/**
 * The document as JSON text, keys in the declared order, whole numbers of any size as plain digits.
 * `indent`: spaces or text per level as for `JSON.stringify`; default none. Throws {@link InvalidTypeError} for another.
 */
export function stringifyStats(document: StatsDocument, indent: number | string = ""): string {
  if (typeof indent !== "number" && typeof indent !== "string") {
    throw new InvalidTypeError(
      `stringifyStats: indent must be a number of spaces or a string; got ${describe(indent)}.`,
    );
  }
  const step = typeof indent === "number" ? " ".repeat(Math.min(10, Math.max(0, indent))) : indent;
  return write(document, "", step, "\n");
}

/** `key`: what the value stands under; rows of a list have the key of the list. */
function write(value: unknown, key: string, step: string, newline: string): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const inner = newline + step;
  const between = step === "" ? "," : `,${inner}`;
  const wrap = (open: string, items: readonly string[], close: string): string => {
    if (items.length === 0) return open + close;
    return step === "" ? open + items.join() + close : open + inner + items.join(between) + newline + close;
  };
  if (Array.isArray(value)) {
    const items = value.map((item) => write(item, key, step, inner));
    // Pairs of numbers stay on one line.
    const flat = value.every((item) => typeof item !== "object");
    return flat ? `[${items.join(step === "" ? "," : ", ")}]` : wrap("[", items, "]");
  }
  const row = value as Readonly<Record<string, unknown>>;
  const colon = step === "" ? ":" : ": ";
  const items = inOrder(row, key).map(
    (name) => `${JSON.stringify(name)}${colon}${write(row[name], name, step, inner)}`,
  );
  return wrap("{", items, "}");
}

/** Declared keys first, then whatever else is there; keys without a value are left out. */
function inOrder(row: Readonly<Record<string, unknown>>, key: string): string[] {
  const declared = (FIELDS_OF.get(key) ?? []).map((field) => field.name);
  const names = new Set([...declared.filter((name) => Object.hasOwn(row, name)), ...Object.keys(row)]);
  return [...names].filter((name) => row[name] !== undefined);
}

/** Longer integers are refused: turning digits into a bigint takes more than linear time. */
const MAX_DIGITS = 4096;
const SAFE_DIGITS = 15;

/**
 * `JSON.parse`, but whole numbers beyond ±(2^53 - 1) become bigints and so keep every digit. Numbers with a fraction
 * or an exponent stay numbers, as in `JSON.parse`. Takes time in proportion to the text, however deeply nested.
 *
 * @throws {@link InvalidValueError} that names position and fault when the text is not JSON, or has an integer of more
 * than 4096 digits
 */
export function parseJsonExact(text: string): unknown {
  if (typeof text !== "string") throw new InvalidTypeError(`JSON text must be a string, not ${typeof text}`);
  return new Parser(text).parse();
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const SPACES = /[ \t\n\r]*/y;
/** The group is there when the number is not a whole one. */
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+)?/y;

type Container = unknown[] | Record<string, unknown>;

/** Keeps open containers on a list of its own: a document nested a million deep must not exhaust the call stack. */
class Parser {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  parse(): unknown {
    const open: Container[] = [];
    const keys: string[] = [];
    for (;;) {
      let value = this.scalarOrEmpty();
      if (value === undefined) {
        // A container with something in it.
        const isList = this.text[this.at++] === "[";
        open.push(isList ? [] : {});
        keys.push(isList ? "" : this.key());
        continue;
      }
      for (;;) {
        const parent = open.at(-1);
        this.space();
        if (parent === undefined) {
          if (this.at < this.text.length) this.fail("expected the end of the text");
          return value;
        }
        const isList = Array.isArray(parent);
        if (isList) parent.push(value);
        else put(parent, keys.at(-1) as string, value);
        const next = this.text[this.at];
        if (next === ",") {
          this.at++;
          if (!isList) keys[keys.length - 1] = this.key();
          break;
        }
        if (next !== (isList ? "]" : "}")) this.fail(isList ? 'expected "," or "]"' : 'expected "," or "}"');
        this.at++;
        keys.pop();
        value = open.pop();
      }
    }
  }

  /** A value that has no values in it, or undefined in front of one that does. */
  private scalarOrEmpty(): unknown {
    this.space();
    const { text } = this;
    switch (text[this.at]) {
      case '"':
        return this.string();
      case "{":
        return this.isEmpty("}") ? {} : undefined;
      case "[":
        return this.isEmpty("]") ? [] : undefined;
      case "t":
        return this.word("true", true);
      case "f":
        return this.word("false", false);
      case "n":
        return this.word("null", null);
      default:
        return this.number();
    }
  }

  private isEmpty(close: string): boolean {
    const start = this.at++;
    this.space();
    if (this.text[this.at] === close) {
      this.at++;
      return true;
    }
    this.at = start;
    return false;
  }

  private word<Value>(word: string, value: Value): Value {
    if (!this.text.startsWith(word, this.at)) this.fail("expected a value");
    this.at += word.length;
    return value;
  }

  private number(): Count {
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.text);
    if (match === null) this.fail("expected a value");
    const digits = match[0];
    const isWhole = match[1] === undefined;
    if (isWhole && digits.length > MAX_DIGITS) {
      this.fail(`an integer of ${digits.length} characters, at most ${MAX_DIGITS} are read`);
    }
    this.at += digits.length;
    const number = Number(digits);
    if (!isWhole || digits.length <= SAFE_DIGITS || Number.isSafeInteger(number)) return number;
    return BigInt(digits);
  }

  private key(): string {
    this.space();
    if (this.text[this.at] !== '"') this.fail("expected a key in double quotes");
    const key = this.string();
    this.space();
    if (this.text[this.at] !== ":") this.fail('expected ":"');
    this.at++;
    return key;
  }

  private string(): string {
    const { text } = this;
    const start = this.at;
    let escaped = false;
    let end = start + 1;
    for (let c = text.charCodeAt(end); c !== QUOTE; c = text.charCodeAt(end)) {
      // Not a number behind the end of the text.
      if (!(c >= SPACE)) {
        this.at = Number.isNaN(c) ? start : end;
        this.fail(Number.isNaN(c) ? "a string without an end" : "a control character in a string");
      }
      if (c === BACKSLASH) escaped = true;
      end += c === BACKSLASH ? 2 : 1;
    }
    this.at = end + 1;
    if (!escaped) return text.slice(start + 1, end);
    try {
      return JSON.parse(text.slice(start, end + 1)) as string;
    } catch {
      this.at = start;
      return this.fail("a string with a wrong escape");
    }
  }

  private space(): void {
    SPACES.lastIndex = this.at;
    SPACES.exec(this.text);
    this.at = SPACES.lastIndex;
  }

  private fail(fault: string): never {
    const before = this.text.slice(0, this.at).split("\n");
    const found =
      this.at < this.text.length ? JSON.stringify(this.text.slice(this.at, this.at + 12)) : "its end";
    const column = (before.at(-1) as string).length + 1;
    throw new InvalidValueError(
      `malformed JSON at position ${this.at} (line ${before.length}, column ${column}): ${fault}, found ${found}`,
    );
  }
}

/** Makes `__proto__` a key like any other, as `JSON.parse` does. */
function put(row: Record<string, unknown>, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(row, key, { value, writable: true, enumerable: true, configurable: true });
  } else row[key] = value;
}
