/** JSON for programs: as `JSON.stringify` writes it, but counts beyond 2^53 keep their digits. */

/** The value on several lines, indented by 2, with a line end. Bigints become plain digits; undefined members are left out. */
export function jsonText(value: unknown): string {
  return `${write(value, "\n")}\n`;
}

/** The same on one line, without a line end. */
export function jsonLine(value: unknown): string {
  return write(value, undefined);
}

/** `newline`: the line end and indent of this level; undefined: everything on one line. */
function write(value: unknown, newline: string | undefined): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const inner = newline === undefined ? undefined : `${newline}  `;
  const colon = newline === undefined ? ":" : ": ";
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const items = Array.isArray(value)
    ? value.map((item) => write(item, inner))
    : Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([key, item]) => `${JSON.stringify(key)}${colon}${write(item, inner)}`);
  if (items.length === 0) return `${open}${close}`;
  return open + (inner ?? "") + items.join(`,${inner ?? ""}`) + (newline ?? "") + close;
}
