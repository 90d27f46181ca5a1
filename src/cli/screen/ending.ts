/** How a command that goes on and on is ended: by a key, by a signal, by itself. */
import { constants } from "node:os";
import { EXIT_OK } from "../command.js";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

/**
 * Listens for the signals that end a process. The first one ends the command in good order; with the second one, should
 * that take too long, the system ends the process.
 *
 * Ctrl-C is how people leave, and no failure: exit code 0. Other signals give the code a shell shows for them, 128 and
 * their number, so that whoever sent them sees them obeyed.
 */
export class Ending {
  readonly #controller = new AbortController();
  #exitCode = EXIT_OK;

  constructor() {
    for (const name of SIGNALS) process.once(name, this.#onSignal);
  }

  /** Aborted when the command is to end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get ended(): boolean {
    return this.#controller.signal.aborted;
  }

  get exitCode(): number {
    return this.#exitCode;
  }

  /** Ends the command as if by itself. */
  end(exitCode: number = EXIT_OK): void {
    if (this.ended) return;
    this.#exitCode = exitCode;
    this.#controller.abort();
  }

  /** Signals do what they do by default from now on. */
  release(): void {
    for (const name of SIGNALS) process.off(name, this.#onSignal);
  }

  readonly #onSignal = (name: NodeJS.Signals): void => {
    this.release();
    this.end(name === "SIGINT" ? EXIT_OK : 128 + constants.signals[name]);
  };
}
