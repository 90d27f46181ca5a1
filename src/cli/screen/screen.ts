/**
 * The terminal while a command redraws it in place, like top(1): the alternate screen, keys one by one, lines that
 * changed. However the command ends, the terminal is as it was before: `close` is called when it returns or throws, and
 * by the process itself when it exits or crashes. A process that is killed outright (SIGKILL) cannot do that.
 */
import type { CommandStreams } from "../command.js";
import type { Ending } from "./ending.js";
import { clip, frameUpdate, type Size } from "./frame.js";
import { type Key, keysIn } from "./keys.js";
import { ENTER, LEAVE } from "./sequences.js";

/** The lines to show on a screen of that size. */
export type Render = (size: Size) => readonly string[];

const UNKNOWN_SIZE: Size = { columns: 80, rows: 24 };

/** Whether there is a terminal that can be redrawn in place. */
export function canRedraw({ outIsTerminal, env }: CommandStreams): boolean {
  return outIsTerminal && env.TERM !== "dumb";
}

export class Screen {
  readonly #streams: CommandStreams;
  readonly #ending: Ending;
  readonly #onKey: (key: Key) => void;
  #render: Render = () => [];
  /** What is on the screen; undefined when that is not known. */
  #shown: readonly string[] | undefined;
  #shownSize: Size = UNKNOWN_SIZE;
  #entered = false;
  #stopListening: () => void = () => {};

  /**
   * Takes the terminal over. Keys other than those that end, stop or repaint come to `onKey`; where standard input is no
   * terminal there are none, and Ctrl-C arrives as the signal it is.
   */
  constructor(streams: CommandStreams, ending: Ending, onKey: (key: Key) => void = () => {}) {
    this.#streams = streams;
    this.#ending = ending;
    this.#onKey = onKey;
    this.#listen();
    this.#enter();
  }

  get size(): Size {
    const { columns, rows } = UNKNOWN_SIZE;
    return {
      columns: finiteOr(this.#streams.columns(), columns),
      rows: finiteOr(this.#streams.rows(), rows),
    };
  }

  /** Shows what `render` makes of the screen's size, now and whenever that changes. */
  show(render: Render): void {
    this.#render = render;
    this.refresh();
  }

  /** Renders again. */
  refresh(): void {
    if (!this.#entered) return;
    const { size } = this;
    const { columns, rows } = this.#shownSize;
    if (columns !== size.columns || rows !== size.rows) this.#shown = undefined;
    const lines = clip(this.#render(size), size);
    const update = frameUpdate(this.#shown, lines, size);
    this.#shown = lines;
    this.#shownSize = size;
    if (update !== "") this.#streams.out.write(update);
  }

  /** Gives the terminal back. Safe to call more than once, and from an exit handler: writes to terminals are synchronous. */
  close(): void {
    this.#stopListening();
    this.#leave();
  }

  #listen(): void {
    const { in: input, inIsTerminal } = this.#streams;
    const onData = (chunk: Buffer | string): void => {
      for (const key of keysIn(chunk.toString())) this.#press(key);
    };
    const close = (): void => this.close();
    const onContinue = (): void => this.#enter();
    const stopResizing = this.#streams.onResize(() => this.refresh());
    process.once("exit", close);
    // Before the message of an uncaught error is printed: on the alternate screen it would be lost.
    process.once("uncaughtExceptionMonitor", close);
    // Whoever stopped the process may have used the terminal meanwhile.
    process.on("SIGCONT", onContinue);
    if (hasJobControl) process.on("SIGTSTP", this.#suspend);
    if (inIsTerminal) input.on("data", onData);
    this.#stopListening = () => {
      stopResizing();
      process.off("exit", close);
      process.off("uncaughtExceptionMonitor", close);
      process.off("SIGCONT", onContinue);
      process.off("SIGTSTP", this.#suspend);
      if (inIsTerminal) input.off("data", onData).pause();
      this.#stopListening = () => {};
    };
  }

  #press(key: Key): void {
    if (key === "ctrl-c" || key === "ctrl-\\" || key === "q" || key === "Q") this.#ending.end();
    else if (key === "ctrl-l") this.#repaint();
    // As the terminal would do it: everything in the process group stops, npx included.
    else if (key === "ctrl-z" && hasJobControl) process.kill(0, "SIGTSTP");
    else this.#onKey(key);
  }

  readonly #suspend = (): void => {
    this.#leave();
    process.off("SIGTSTP", this.#suspend);
    // Stops here, until somebody continues the process; in a process group nobody controls it goes on at once.
    process.kill(process.pid, "SIGTSTP");
    process.on("SIGTSTP", this.#suspend);
    this.#enter();
  };

  #enter(): void {
    setRaw(this.#streams, true);
    this.#streams.out.write(ENTER);
    this.#entered = true;
    this.#repaint();
  }

  #leave(): void {
    if (!this.#entered) return;
    this.#entered = false;
    this.#streams.out.write(LEAVE);
    setRaw(this.#streams, false);
  }

  #repaint(): void {
    this.#shown = undefined;
    this.refresh();
  }
}

const hasJobControl = process.platform !== "win32";

function setRaw({ in: input, inIsTerminal }: CommandStreams, raw: boolean): void {
  if (!inIsTerminal || !("setRawMode" in input) || typeof input.setRawMode !== "function") return;
  try {
    input.setRawMode(raw);
  } catch {
    // The terminal is gone.
  }
}

const finiteOr = (value: number, fallback: number): number => (Number.isFinite(value) ? value : fallback);
