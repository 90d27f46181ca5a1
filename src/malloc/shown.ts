/** Values in error messages. */

/** A short description of any value; never throws. */
export function shown(value: unknown): string {
  if (typeof value === "string")
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
  if (value === null) return "null";
  if (typeof value === "function") return "a function";
  if (typeof value !== "object") return String(value);
  if (value instanceof ArrayBuffer) return `an ArrayBuffer of ${value.byteLength} bytes`;
  return Array.isArray(value) ? "an array" : "an object";
}
