/** What a screen reader is told unasked: rarely, politely, one sentence at a time. */
import { byId, setText } from "./dom.js";

/** Between two announcements; what comes sooner waits, and only the latest of it is said. */
const PAUSE_MS = 10_000;

export class Announcer {
  readonly #element = byId("announcer");
  #waiting: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  say(sentence: string): void {
    if (this.#timer !== undefined) {
      this.#waiting = sentence;
      return;
    }
    setText(this.#element, sentence);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting !== undefined) this.say(waiting);
    }, PAUSE_MS);
  }
}
