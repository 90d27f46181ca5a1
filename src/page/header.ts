/** Who is being watched, how the connection is, how the heap is. */
import type { LiveState } from "../http/live-state.js";
import type { Announcer } from "./announce.js";
import { byId, html, inside, setAttribute, setHidden, setText } from "./dom.js";
import { clock, count, duration, plural, UNKNOWN } from "./format.js";
import { ICONS } from "./icons.js";
import type { Connection, PageState } from "./store.js";

const WORDS: Readonly<Record<Connection["kind"], string>> = {
  connecting: "Connecting",
  open: "Live",
  reconnecting: "Reconnecting",
  paused: "Paused",
  hidden: "Asleep",
  locked: "Locked",
};

const FACTS = ["Heap", "Process", "Up", "Workers"] as const;

export class Header {
  readonly #connection = byId("connection");
  readonly #notice = byId("notice");
  readonly #pause = byId("pause") as HTMLButtonElement;
  readonly #facts: Map<string, HTMLElement>;
  readonly #announcer: Announcer;
  #kind = "connecting";
  #dismissed = 0;
  #said = "";

  constructor(announcer: Announcer, togglePause: () => void) {
    this.#announcer = announcer;
    setText(byId("host"), location.host);
    this.#facts = new Map(
      FACTS.map((name) => {
        const value = html("dd", name === "Heap" ? { class: "mono" } : {}, UNKNOWN);
        byId("facts").append(html("div", {}, html("dt", {}, name), value));
        return [name, value];
      }),
    );
    this.#pause.addEventListener("click", togglePause);
    inside(this.#notice, "button").addEventListener("click", () => {
      this.#dismissed = this.#restarts;
      setHidden(this.#notice, true);
      byId("main").focus();
    });
  }

  #restarts = 0;

  draw(state: PageState): void {
    this.#restarts = state.restarts;
    this.#drawConnection(state.connection);
    this.#drawNotice(state);
    if (state.live !== null) this.#drawFacts(state.live);
  }

  #drawFacts(live: LiveState): void {
    const facts: Record<(typeof FACTS)[number], string> = {
      Heap: live.source === "c" ? "C allocator" : String(live.heapId),
      Process: live.pid > 0 ? String(live.pid) : UNKNOWN,
      Up: duration(live.uptimeSec),
      Workers: count(live.heap.attachedWorkers),
    };
    for (const [name, text] of Object.entries(facts)) {
      const element = this.#facts.get(name);
      if (element !== undefined) setText(element, text);
    }
    setAttribute(this.#facts.get("Heap") as Element, "title", String(live.heapId));
    const leaks = live.leakCount === 0 ? "" : `${plural(live.leakCount, "leak")} · `;
    const title = `${leaks}temporal-slab ${location.host}`;
    if (document.title !== title) document.title = title;
  }

  #drawConnection(connection: Connection): void {
    const { kind } = connection;
    setAttribute(this.#connection, "data-kind", kind);
    setAttribute(inside(this.#connection, "path"), "d", ICONS[kind]);
    setText(inside(this.#connection, "span"), WORDS[kind]);
    setText(this.#pause, kind === "paused" ? "Resume" : "Pause");
    // Nothing arrives that could be paused; while an attempt with a token is under way the button stays as it is.
    if (kind !== "connecting") this.#pause.disabled = kind === "locked";
    if (kind === this.#kind) return;
    // The first "live" and the ordinary sleep of a hidden tab are not worth a sentence.
    if (kind === "reconnecting" || (kind === "open" && this.#kind === "reconnecting")) {
      this.#announcer.say(kind === "open" ? "Live again." : "Connection lost, reconnecting.");
    }
    if (kind !== "connecting") this.#kind = kind;
  }

  #drawNotice(state: PageState): void {
    const { connection, fault, faults } = state;
    let text = "";
    let dismissible = false;
    if (connection.kind === "reconnecting") {
      const seconds = Math.max(0, Math.ceil((connection.retryAt - Date.now()) / 1000));
      text = `Reconnecting: ${connection.reason}. Next attempt ${seconds > 0 ? `in ${seconds} s` : "now"}.`;
      if (state.live !== null) text += " The figures below are the last ones received.";
    } else if (fault !== null) {
      text = `Not understood: ${fault}.${faults > 1 ? ` (${plural(faults, "event")} so far.)` : ""}`;
    } else if (state.restarts > this.#dismissed && state.restartedAt !== null) {
      const times =
        state.restarts > 1 ? `, ${plural(state.restarts, "time")} since this page was opened` : "";
      text = `The service restarted at ${clock(state.restartedAt, true)}${times}: everything below is about the new heap.`;
      dismissible = true;
    }
    setHidden(this.#notice, text === "");
    setAttribute(this.#notice, "data-kind", dismissible ? "info" : "degraded");
    setAttribute(inside(this.#notice, "path"), "d", dismissible ? ICONS.info : ICONS.degraded);
    setText(inside(this.#notice, "span"), text);
    setHidden(inside(this.#notice, "button"), !dismissible);
    const news = fault !== null || dismissible ? text : "";
    if (news !== this.#said && news !== "") this.#announcer.say(news);
    this.#said = news;
  }
}

const STATUS: Readonly<Record<string, string>> = {
  ok: "Healthy",
  degraded: "Degraded",
  unhealthy: "Unhealthy",
};

const COMPONENTS: Readonly<Record<string, string>> = {
  heap: "Heap",
  slowPath: "Slow path",
  epochs: "Epochs",
  reclamation: "Reclamation",
  workers: "Workers",
  document: "Document",
};

/** One line: the verdict and its first reason; unfolded, all of them. */
export function drawHealth({ live }: PageState): void {
  const element = byId("health");
  if (live === null) return;
  const { status, issues, ready } = live.health;
  setAttribute(element, "data-status", status in STATUS ? status : "degraded");
  setAttribute(inside(element, "path"), "d", ICONS[status] ?? ICONS.degraded);
  setText(inside(element, ".verdict span"), STATUS[status] ?? status);
  const sentences = issues.map(
    ({ component, message }) => `${COMPONENTS[component] ?? component}: ${message}`,
  );
  setText(inside(element, ".first"), sentences[0] ?? "Every component is within its thresholds.");
  setText(inside(element, ".more"), issues.length > 1 ? `and ${issues.length - 1} more` : "");
  const list = [...sentences, ready ? "Ready to serve." : "Not ready: it should get no more work now."];
  const items = inside(element, "ul");
  if (items.children.length !== list.length) items.replaceChildren(...list.map(() => html("li")));
  list.forEach((sentence, index) => {
    setText(items.children[index] as Element, sentence);
  });
}
