/** Asks for the bearer token when the service wants one. Kept for this tab only. */
import { byId, setAttribute, setHidden, setText, store, stored } from "./dom.js";
import type { PageState } from "./store.js";
import { isToken, TOKEN_RULE } from "./token-rule.js";

const KEY = "temporal-slab token";

export const rememberedToken = (): string | null => stored("session", KEY);

export class TokenForm {
  readonly #form = byId("token") as HTMLFormElement;
  readonly #input = byId("token-input") as HTMLInputElement;
  #token = rememberedToken();
  #shown = false;
  /** What is wrong with the one just entered, where it was not even sent. */
  #mistake: string | null = null;

  constructor(use: () => void) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      // No token has blanks, a copied one may have them around it.
      const token = this.#input.value.trim();
      if (!isToken(token)) {
        this.#mistake = `That cannot be the token: it has ${TOKEN_RULE}.`;
        this.#explain(this.#mistake, true);
        this.#input.select();
        return;
      }
      this.#mistake = null;
      this.#token = token;
      store("session", KEY, token);
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
    this.#explain(
      this.#mistake ??
        (connection.refused
          ? "That token was not accepted. Check it and try again."
          : "The service answers only those who send its bearer token."),
      this.#mistake !== null || connection.refused,
    );
    if (!this.#shown) this.#input.focus();
    this.#shown = true;
  }

  #explain(why: string, alert: boolean): void {
    const element = byId("token-why");
    setAttribute(element, "role", alert ? "alert" : "note");
    setAttribute(this.#input, "aria-invalid", this.#mistake === null ? null : "true");
    setText(element, why);
  }
}
