/** Keys as a terminal sends them in raw mode. */

/** A character that was typed, or the name of another key. */
export type Key = string;

const NAMED: Readonly<Record<string, Key>> = {
  "\u0003": "ctrl-c",
  "\u000c": "ctrl-l",
  "\u001a": "ctrl-z",
  "\u001c": "ctrl-\\",
  "\t": "tab",
  "\r": "enter",
  "\n": "enter",
  "\u007f": "backspace",
  "\b": "backspace",
  "\u001b": "escape",
  "\u001b[A": "up",
  "\u001b[B": "down",
  "\u001b[C": "right",
  "\u001b[D": "left",
  "\u001bOA": "up",
  "\u001bOB": "down",
  "\u001bOC": "right",
  "\u001bOD": "left",
};

/** CSI and SS3 sequences whole (function keys and reports of the terminal among them), then single characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: keys are control characters.
const KEY = /\u001b\[[0-?]*[ -/]*[@-~]|\u001bO.|./gsu;

/**
 * The keys in one chunk of input. Sequences nobody uses here are left out, not taken for the letters they end with. A
 * terminal sends a sequence at once, so one that is cut in two is not waited for.
 */
export function keysIn(chunk: string): Key[] {
  return (chunk.match(KEY) ?? []).flatMap((text) => {
    const named = NAMED[text];
    if (named !== undefined) return named;
    return text.startsWith("\u001b") || text < " " ? [] : text;
  });
}
