/** Stack frames out of the text of `error.stack`, where a runtime gives nothing better. */

/** One caller, as stack traces count: lines and columns from 1, 0 when unknown. */
export interface StackFrame {
  /** "" for anonymous functions and the top level of a module. */
  readonly functionName: string;
  /** URL of the script, files as `file://...`; "" for the engine's own functions. */
  readonly url: string;
  readonly line: number;
  readonly column: number;
}

/** Frames in a text of V8 (`    at name (url:line:column)`) or of JavaScriptCore and Firefox (`name@url:line:column`). */
export function parseStack(text: string): StackFrame[] {
  const lines = text.split("\n").map((line) => line.trim());
  const v8 = lines.filter((line) => line.startsWith("at "));
  if (v8.length > 0) return v8.map((line) => parseV8(line.slice(3)));
  return lines.filter((line) => line.includes("@") || POSITION.test(line)).map(parseJsc);
}

const POSITION = /:\d+:\d+$/;

function parseV8(line: string): StackFrame {
  const open = line.endsWith(")") ? line.indexOf(" (") : -1;
  if (open < 0) return frame("", line.replace(/^async /, ""));
  // Of evaluated code only the position in it is of use: "eval at f (file:1:2), <anonymous>:3:4".
  const place = line.slice(open + 2, -1);
  return frame(line.slice(0, open), place.startsWith("eval at ") ? afterLast(place, ", ") : place);
}

function parseJsc(line: string): StackFrame {
  const at = line.indexOf("@");
  return at < 0 ? frame("", line) : frame(line.slice(0, at), line.slice(at + 1));
}

function frame(called: string, place: string): StackFrame {
  const [, script = place, line = "0", column = "0"] = /^(.*?)(?::(\d+))?(?::(\d+))?$/s.exec(place) ?? [];
  // Without a line it is no script: "index 0" of Promise.all.
  const url = line === "0" ? "" : toUrl(script);
  return { functionName: plainName(called), url, line: Number(line), column: Number(column) };
}

/** As V8's own profiles name it: without the object it was called on. */
function plainName(called: string): string {
  if (/^(global|module|eval) code$/.test(called)) return "";
  const name = afterLast(called.replace(/ \[as .*\]$/, "").replace(/^async[ *]/, ""), ".").replace(
    /^new /,
    "",
  );
  return name === "<anonymous>" ? "" : name;
}

function afterLast(text: string, mark: string): string {
  const at = text.lastIndexOf(mark);
  return at < 0 ? text : text.slice(at + mark.length);
}

/** What a stack trace calls a script, as the URL by which DevTools finds it. */
export function toUrl(script: string | null | undefined): string {
  if (script === null || script === undefined || NO_SCRIPT.test(script)) return "";
  // Two letters at least: one is a drive of Windows.
  if (/^[a-z][a-z0-9+.-]+:/i.test(script)) return script;
  const path = script.replaceAll("\\", "/");
  if (/^[a-z]:\//i.test(path)) return `file:///${escapePath(path)}`;
  if (path.startsWith("//")) return `file:${escapePath(path)}`;
  return path.startsWith("/") ? `file://${escapePath(path)}` : script;
}

const NO_SCRIPT = /^(<anonymous>|native|\[native code\]|)$/;

function escapePath(path: string): string {
  try {
    return encodeURI(path).replace(/[?#]/g, encodeURIComponent);
  } catch {
    return path; // half a surrogate pair
  }
}
