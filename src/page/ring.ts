/** The ring of epochs: a list of options on a circle, one of them chosen and described beside it. */
import type { LiveEpoch, LiveState } from "../http/live-state.js";
import { byId, html, inside, scrollable, setAttribute, setText, svg } from "./dom.js";
import { EPOCH_FACTS, factsOf, LOOK_WORDS, lookOf, nameOf } from "./epoch-words.js";
import { count, duration } from "./format.js";
import { BANDS, memoryBand, middle, SIZE, segment } from "./ring-shape.js";
import { move } from "./roving.js";
import type { PageState } from "./store.js";

const GAP = 3;

const CENTRE_LINES = [
  { name: "eyebrow", y: -32 },
  { name: "number", y: 9 },
  { name: "era", y: 32 },
  { name: "age", y: 50 },
] as const;

interface Cell {
  readonly group: SVGGElement;
  readonly memory: SVGPathElement;
  readonly entered: SVGElement;
  readonly leak: SVGElement;
}

export class Ring {
  readonly #svg: SVGSVGElement;
  readonly #cells: SVGGElement;
  readonly #centre: SVGTextElement[];
  readonly #details = byId("epoch");
  #drawn: Cell[] = [];
  #live: LiveState | null = null;
  /** null: whichever is current. */
  #chosen: number | null = null;

  constructor() {
    this.#cells = svg("g", {
      role: "listbox",
      "aria-label": "Ring of epochs",
      "aria-orientation": "horizontal",
    });
    this.#centre = CENTRE_LINES.map(({ name, y }) =>
      svg("text", { class: name, x: String(SIZE / 2), y: String(SIZE / 2 + y) }),
    );
    this.#svg = svg(
      "svg",
      { viewBox: `0 0 ${SIZE} ${SIZE}` },
      hatches(),
      this.#cells,
      svg("g", { class: "centre", "aria-hidden": "true" }, ...this.#centre),
    );
    byId("ring").append(this.#svg);
    byId("ring-key").append(...keyOf());
    this.#cells.addEventListener("keydown", (event) => this.#onKey(event));
    this.#cells.addEventListener("click", (event) => {
      const index = this.#indexOf(event.target);
      if (index >= 0) this.choose(index, true);
    });
    this.#fillDetails();
    scrollable(inside(byId("epochs-table"), ".scroll"), "Table of epochs");
    byId("epochs-table").addEventListener("toggle", () => this.#drawTable());
  }

  /** Chooses an epoch, or with null the current one from now on. */
  choose(id: number | null, focus = false): void {
    this.#chosen = id;
    this.#redraw();
    if (focus && id !== null) this.#drawn[id]?.group.focus();
  }

  draw({ live }: PageState): void {
    if (live === null) return;
    this.#live = live;
    if (this.#drawn.length !== live.epochs.length) this.#build(live.epochs.length);
    this.#redraw();
  }

  get #index(): number {
    const live = this.#live;
    if (live === null) return 0;
    if (this.#chosen !== null && this.#chosen < live.epochs.length) return this.#chosen;
    return live.currentEpoch < live.epochs.length ? live.currentEpoch : 0;
  }

  #build(total: number): void {
    this.#drawn = Array.from({ length: total }, (_, index) => {
      const text = middle(index, total, (BANDS.cell.inner + BANDS.cell.outer) / 2);
      const mark = middle(index, total, (BANDS.mark.inner + BANDS.mark.outer) / 2);
      const dot = middle(index, total, BANDS.cell.inner + 8);
      const memory = svg("path", { class: "memory" });
      const entered = svg("circle", { class: "inside", cx: String(dot.x), cy: String(dot.y), r: "3.2" });
      const leak = svg(
        "g",
        { transform: `translate(${mark.x.toFixed(1)} ${mark.y.toFixed(1)})` },
        svg("circle", { class: "leak", r: "8.5" }),
        svg("text", { class: "bang", y: "4.2" }, "!"),
      );
      const group = svg(
        "g",
        { role: "option", id: `epoch-${index}`, tabindex: "-1", "aria-selected": "false" },
        svg("path", { class: "well", d: segment(index, total, BANDS.memory, GAP) }),
        memory,
        svg("path", { class: "cell", d: segment(index, total, BANDS.cell, GAP) }),
        svg("path", { class: "now", d: segment(index, total, BANDS.current, GAP) }),
        svg("text", { class: "id", x: text.x.toFixed(1), y: (text.y + 4.8).toFixed(1) }, String(index)),
        entered,
        leak,
      );
      return { group, memory, entered, leak };
    });
    this.#cells.replaceChildren(...this.#drawn.map(({ group }) => group));
  }

  #redraw(): void {
    const live = this.#live;
    if (live === null) return;
    const leaks = leaksByEpoch(live);
    const most = Math.max(1, ...live.epochs.map((epoch) => epoch.bytes));
    const selected = this.#index;
    live.epochs.forEach((epoch, index) => {
      const cell = this.#drawn[index];
      if (cell === undefined) return;
      const leaking = leaks.get(epoch.id) ?? 0;
      setAttribute(cell.group, "class", lookOf(epoch));
      setAttribute(cell.group, "data-current", epoch.current ? "" : null);
      setAttribute(cell.group, "aria-selected", String(index === selected));
      setAttribute(cell.group, "tabindex", index === selected ? "0" : "-1");
      setAttribute(cell.group, "aria-label", nameOf(epoch, leaking));
      setAttribute(cell.memory, "d", segment(index, live.epochs.length, memoryBand(epoch.bytes / most), GAP));
      setAttribute(cell.memory, "visibility", epoch.bytes > 0 ? null : "hidden");
      setAttribute(cell.entered, "visibility", epoch.refcount > 0 ? null : "hidden");
      setAttribute(cell.leak, "visibility", leaking > 0 ? null : "hidden");
    });
    const current = live.epochs[live.currentEpoch];
    const lines = [
      "current epoch",
      String(live.currentEpoch),
      `era ${count(current?.era ?? null)}`,
      duration(current?.ageSec ?? null),
    ];
    this.#centre.forEach((text, line) => {
      setText(text, lines[line] ?? "");
    });
    const used = live.epochs.filter((epoch) => epoch.state !== "UNUSED");
    const closing = used.filter((epoch) => epoch.state === "CLOSING").length;
    setText(
      byId("epochs-aside"),
      `${used.length - closing} active, ${closing} closing, ${live.epochs.length - used.length} unused`,
    );
    this.#drawDetails(live.epochs[selected], leaks.get(selected) ?? 0);
    this.#drawTable();
  }

  #onKey(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const from = this.#indexOf(event.target);
    if (from < 0) return;
    if (event.key === "Escape") {
      this.choose(null);
      this.#drawn[this.#index]?.group.focus();
      return;
    }
    const to = move(from, event.key, { count: this.#drawn.length, wraps: true });
    if (to === undefined) return;
    event.preventDefault();
    this.choose(to, true);
  }

  #indexOf(target: EventTarget | null): number {
    const group = target instanceof Element ? target.closest("[role=option]") : null;
    return this.#drawn.findIndex((cell) => cell.group === group);
  }

  #fillDetails(): void {
    const follow = html(
      "button",
      { type: "button", class: "button", "aria-label": "Follow the current epoch" },
      "Follow",
    );
    follow.addEventListener("click", () => {
      this.choose(null);
      byId(`epoch-${this.#index}`).focus();
    });
    this.#details.append(
      html(
        "div",
        { class: "heading" },
        html("h3", {}, html("span", { class: "title" }, "Epoch –"), html("span", { class: "badge" })),
        follow,
      ),
      html(
        "dl",
        {},
        ...EPOCH_FACTS.map((name) =>
          html("div", { "data-fact": name }, html("dt", {}, name), html("dd", {}, "–")),
        ),
      ),
    );
  }

  #drawDetails(epoch: LiveEpoch | undefined, leaks: number): void {
    if (epoch === undefined) return;
    const look = lookOf(epoch);
    setText(inside(this.#details, ".title"), `Epoch ${epoch.id}`);
    const badge = inside(this.#details, ".badge");
    setText(
      badge,
      [LOOK_WORDS[look], ...(epoch.current ? ["current"] : []), ...(leaks > 0 ? ["leaking"] : [])].join(", "),
    );
    setAttribute(badge, "data-look", look);
    for (const [name, text] of Object.entries(factsOf(epoch))) {
      const value = inside(this.#details, `[data-fact="${name}"] dd`);
      setText(value, text);
      if (name === "Label") setAttribute(value, "title", text);
    }
    // Hidden in its place, so that nothing jumps when it comes and goes.
    inside<HTMLButtonElement>(this.#details, "button").disabled = this.#chosen === null;
  }

  /** Only while it is unfolded. */
  #drawTable(): void {
    const details = byId("epochs-table") as HTMLDetailsElement;
    if (!details.open || this.#live === null) return;
    const place = inside(details, ".scroll");
    const { epochs } = this.#live;
    if (place.querySelectorAll("tbody tr").length !== epochs.length)
      place.replaceChildren(emptyTable(epochs.length));
    const rows = place.querySelectorAll("tbody tr");
    epochs.forEach((epoch, index) => {
      const row = rows[index];
      if (row === undefined) return;
      const facts = factsOf(epoch);
      const texts = [
        LOOK_WORDS[lookOf(epoch)] + (epoch.current ? ", current" : ""),
        facts.Era,
        facts.Age,
        facts.Label,
        facts.References,
        facts["Live objects"],
        facts["of older eras"],
        epoch.state === "UNUSED" ? "–" : count(epoch.slabs),
        facts.Memory,
      ];
      texts.forEach((text, column) => {
        setText(row.children[column + 1] as Element, text);
      });
    });
  }
}

const COLUMNS = ["Epoch", "State", "Era", "Age", "Label", "Refs", "Live", "Older", "Slabs", "Memory"];

function emptyTable(rows: number): HTMLTableElement {
  const head = html("tr", {}, ...COLUMNS.map((name) => html("th", { scope: "col" }, name)));
  const body = Array.from({ length: rows }, (_, id) =>
    html(
      "tr",
      {},
      html("th", { scope: "row" }, String(id)),
      ...COLUMNS.slice(1).map((name) =>
        html("td", name === "Label" || name === "State" ? { class: "text" } : {}),
      ),
    ),
  );
  return html("table", {}, html("thead", {}, head), html("tbody", {}, ...body));
}

function leaksByEpoch(live: LiveState): Map<number, number> {
  const leaks = new Map<number, number>();
  for (const { epochId } of live.leaks) leaks.set(epochId, (leaks.get(epochId) ?? 0) + 1);
  return leaks;
}

/** Fills by which states differ without their colours. */
function hatches(): SVGDefsElement {
  const hatch = (id: string, lines: string): SVGPatternElement =>
    svg(
      "pattern",
      { id, width: "7", height: "7", patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      svg("rect", { width: "7", height: "7" }),
      svg("path", { d: lines }),
    );
  return svg("defs", {}, hatch("hatch-closing", "M0 0V7"), hatch("hatch-discarded", "M0 0V7M0 0H7"));
}

function keyOf(): HTMLLIElement[] {
  const sign = (name: string, text: string): HTMLLIElement => {
    const picture = svg("svg", { class: name, viewBox: "0 0 16 16", "aria-hidden": "true" });
    if (name === "entered") picture.append(svg("circle", { class: "inside", cx: "8", cy: "8", r: "3.5" }));
    else if (name === "leak")
      picture.append(
        svg("circle", { class: "leak", cx: "8", cy: "8", r: "7" }),
        svg("text", { class: "bang", x: "8", y: "12.2" }, "!"),
      );
    else
      picture.append(svg("rect", { x: "1.5", y: "1.5", width: "13", height: "13", rx: "3", class: "cell" }));
    return html("li", {}, picture, text);
  };
  return [
    sign("active", "active"),
    sign("closing", "closing"),
    sign("discarded", "discarded"),
    sign("unused", "unused"),
    sign("memory", "memory"),
    sign("entered", "entered"),
    sign("leak", "leak"),
  ];
}
