/** JSON for programs: as `JSON.stringify` with an indent of 2, but counts beyond 2^53 keep their digits. */

/** The value as JSON text with a line end. Bigints become plain digits; undefined members are left out. */
export function jsonText(value: unknown): string {
  return `${write(value, "\n")}\n`;
}

function write(value: unknown, newline: string): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const inner = `${newline}  `;
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const items = Array.isArray(value)
    ? value.map((item) => write(item, inner))
    : Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([key, item]) => `${JSON.stringify(key)}: ${write(item, inner)}`);
  return items.length === 0 ? `${open}${close}` : open + inner + items.join(`,${inner}`) + newline + close;
}
