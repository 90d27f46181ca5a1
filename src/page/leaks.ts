/** Leaks in words, largest first, each with what to do about it. */
import type { LiveLeak } from "../http/live-state.js";
import type { Announcer } from "./announce.js";
import { byId, html, inside, scrollable, setAttribute, setText } from "./dom.js";
import { bytes, duration, plural } from "./format.js";
import { announcement, keyOfLeak, LEAK_KINDS, NO_LEAKS } from "./leak-words.js";
import type { PageState } from "./store.js";

export class Leaks {
  readonly #place = byId("leaks");
  readonly #announcer: Announcer;
  readonly #show: (epoch: number) => void;
  readonly #items = new Map<string, HTMLElement>();
  #before: readonly LiveLeak[] | null = null;

  constructor(announcer: Announcer, show: (epoch: number) => void) {
    this.#announcer = announcer;
    this.#show = show;
    scrollable(this.#place, "List of leaks");
    this.#place.append(html("p", { class: "empty" }, "Waiting for the first event."), html("ol"));
  }

  draw({ live }: PageState): void {
    if (live === null || live.leaks === this.#before) return;
    const { leaks, leakCount } = live;
    const sentence = announcement(this.#before, leaks, leakCount);
    if (sentence !== undefined) this.#announcer.say(sentence);
    this.#before = leaks;
    const empty = inside(this.#place, ".empty");
    const more = leakCount - leaks.length;
    setText(
      empty,
      leaks.length === 0
        ? NO_LEAKS
        : more > 0
          ? `${plural(more, "smaller one")} ${more === 1 ? "is" : "are"} not listed.`
          : "",
    );
    setAttribute(empty, "data-last", leaks.length > 0 ? "" : null);
    setText(byId("leaks-aside"), leaks.length === 0 ? "none" : plural(leakCount, "epoch"));
    this.#list(leaks);
  }

  #list(leaks: readonly LiveLeak[]): void {
    const list = inside(this.#place, "ol");
    const keys = new Set(leaks.map(keyOfLeak));
    for (const [key, item] of this.#items) {
      if (keys.has(key)) continue;
      item.remove();
      this.#items.delete(key);
    }
    leaks.forEach((leak, position) => {
      const key = keyOfLeak(leak);
      const item = this.#items.get(key) ?? this.#build(leak);
      this.#items.set(key, item);
      // Moved only if it must be: moving takes the focus away.
      if (list.children[position] !== item) list.insertBefore(item, list.children[position] ?? null);
      setText(inside(item, ".kind"), LEAK_KINDS[leak.kind] ?? leak.kind);
      setText(inside(item, ".amount"), `${bytes(leak.bytes)}, ${duration(leak.ageSec)}`);
      setText(inside(item, ".sentence"), leak.sentence);
      setText(inside(item, ".action"), leak.action);
    });
  }

  #build(leak: LiveLeak): HTMLElement {
    const button = html("button", { type: "button", class: "button" }, `Show epoch ${leak.epochId}`);
    button.addEventListener("click", () => this.#show(leak.epochId));
    return html(
      "li",
      {},
      html("div", { class: "row" }, html("span", { class: "kind" }), html("span", { class: "amount" })),
      html("p", { class: "sentence" }),
      html("p", { class: "action" }),
      button,
    );
  }
}
