/** Asks for the bearer token when the service wants one. Kept for this tab only. */
import { byId, inside, setHidden, setText, store, stored } from "./dom.js";
import type { PageState } from "./store.js";

const KEY = "temporal-slab token";

export const rememberedToken = (): string | null => stored("session", KEY);

export class TokenForm {
  readonly #form = byId("token") as HTMLFormElement;
  readonly #input = byId("token-input") as HTMLInputElement;
  #token = rememberedToken();
  #shown = false;

  constructor(use: () => void) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#token = this.#input.value;
      store("session", KEY, this.#token);
      this.#input.value = "";
      use();
    });
  }

  /** Also where the browser keeps nothing. */
  get token(): string | null {
    return this.#token;
  }

  draw({ connection }: PageState): void {
    const wanted = connection.kind === "locked";
    // While an attempt with the token is under way the form stays as it is.
    if (connection.kind === "connecting") return;
    setHidden(this.#form, !wanted);
    if (!wanted) {
      this.#shown = false;
      return;
    }
    setText(
      byId("token-why"),
      connection.refused
        ? "That token was not accepted. Check it and try again."
        : "The service answers only those who send its bearer token.",
    );
    inside(this.#form, "#token-why").setAttribute("role", connection.refused ? "alert" : "note");
    if (!this.#shown) this.#input.focus();
    this.#shown = true;
  }
}
