/** Slabs by class and epoch: a table with a shade behind each number, walked with the arrow keys. */
import type { LiveState } from "../http/live-state.js";
import { byId, fillSwitch, html, scrollable, setAttribute, setText } from "./dom.js";
import { className, count, plural, short } from "./format.js";
import { move } from "./roving.js";
import { shade } from "./scale.js";
import type { PageState } from "./store.js";

type Amount = "slabs" | "objects";

const HINT = "Point at a cell, or walk with the arrow keys, for its slabs and live objects.";

export class SlabMap {
  readonly #place = byId("slab-map");
  #cells: HTMLTableCellElement[] = [];
  #totals: HTMLTableCellElement[] = [];
  #columns = 0;
  /** Rows shown, as indices into the classes. */
  #rows: number[] = [];
  /** Classes that ever held a slab, of the heap shown: a row stays once it is there. */
  readonly #used = new Set<number>();
  #heap = "";
  #all = false;
  #shape = "";
  #live: LiveState | null = null;
  #amount: Amount = "slabs";
  /** In the tab order. */
  #home = 0;
  #pointed: number | null = null;

  constructor() {
    fillSwitch(
      byId("slabs-by"),
      "slabs-by",
      { slabs: "Slabs", objects: "Objects" },
      this.#amount,
      (choice) => {
        this.#amount = choice as Amount;
        this.#redraw();
      },
    );
    scrollable(this.#place, "Table of slabs");
    const all = byId("slabs-all");
    all.addEventListener("click", () => {
      this.#all = !this.#all;
      setAttribute(all, "aria-pressed", String(this.#all));
      this.#lay();
    });
    this.#place.addEventListener("keydown", (event) => this.#onKey(event));
    const point = (event: Event, on: boolean): void => {
      const index = this.#cells.indexOf(event.target as HTMLTableCellElement);
      if (index < 0) return;
      this.#pointed = on ? index : null;
      this.#readOut();
    };
    this.#place.addEventListener("pointerover", (event) => point(event, true));
    this.#place.addEventListener("pointerout", (event) => point(event, false));
    this.#place.addEventListener("focusin", (event) => {
      const index = this.#cells.indexOf(event.target as HTMLTableCellElement);
      if (index >= 0) this.#rove(index);
      point(event, true);
    });
    this.#place.addEventListener("focusout", (event) => point(event, false));
    setText(byId("slab-readout"), HINT);
  }

  draw({ live }: PageState): void {
    if (live === null) return;
    this.#live = live;
    this.#lay();
  }

  /** Decides on the rows; builds the table again where they changed. */
  #lay(): void {
    const live = this.#live;
    if (live === null) return;
    if (live.heapId !== this.#heap) this.#used.clear();
    this.#heap = live.heapId;
    live.slabMap.forEach((row, index) => {
      if (row.some((slabs) => slabs > 0)) this.#used.add(index);
    });
    this.#rows = [...live.classes.keys()].filter((index) => this.#all || this.#used.has(index));
    const shape = JSON.stringify([live.classes, live.epochs.length, this.#rows]);
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.#build(live);
    }
    this.#redraw();
  }

  #build(live: LiveState): void {
    const focused = this.#cells.indexOf(document.activeElement as HTMLTableCellElement);
    this.#columns = live.epochs.length;
    this.#cells = [];
    this.#totals = [];
    this.#pointed = null;
    const head = html("tr", {}, html("th", { scope: "col" }, "Class"));
    for (const { id } of live.epochs)
      head.append(html("th", { scope: "col" }, visuallyHidden("epoch "), String(id)));
    head.append(html("th", { scope: "col", class: "total" }, "All"));
    const rows = this.#rows.map((place) => {
      const { index = 0, objectSize = 0 } = live.classes[place] ?? {};
      const row = html("tr", {}, html("th", { scope: "row" }, className(index, objectSize)));
      for (let epoch = 0; epoch < this.#columns; epoch++) {
        const cell = html("td", { tabindex: "-1" });
        this.#cells.push(cell);
        row.append(cell);
      }
      const total = html("td", { class: "total" });
      this.#totals.push(total);
      row.append(total);
      return row;
    });
    const table = html(
      "table",
      { role: "grid", "aria-labelledby": "slabs-title", "aria-readonly": "true" },
      html("thead", {}, head),
      html("tbody", {}, ...rows),
    );
    this.#place.replaceChildren(table);
    this.#rove(Math.min(this.#home, Math.max(0, this.#cells.length - 1)));
    if (focused >= 0) this.#cells[this.#home]?.focus();
  }

  #redraw(): void {
    const live = this.#live;
    if (live === null) return;
    const shown = this.#amount === "slabs" ? live.slabMap : live.slabMapLive;
    const most = Math.max(0, ...shown.map((row) => Math.max(0, ...row)));
    this.#rows.forEach((place, row) => {
      let total = 0;
      for (let column = 0; column < this.#columns; column++) {
        const cell = this.#cells[row * this.#columns + column];
        if (cell === undefined) continue;
        const value = shown[place]?.[column] ?? 0;
        total += value;
        setText(cell, value === 0 ? "·" : short(value));
        setAttribute(cell, "data-shade", String(shade(value, most)));
        setAttribute(cell, "aria-label", this.#amounts(place, column));
        setAttribute(cell, "data-now", live.currentEpoch === column ? "" : null);
      }
      const cell = this.#totals[row];
      if (cell !== undefined) setText(cell, total === 0 ? "–" : short(total));
    });
    this.#readOut();
  }

  #amounts(row: number, column: number): string {
    const slabs = this.#live?.slabMap[row]?.[column] ?? 0;
    const objects = this.#live?.slabMapLive[row]?.[column] ?? 0;
    return slabs === 0 && objects === 0
      ? "no slabs"
      : `${plural(slabs, "slab")}, ${plural(objects, "live object")}`;
  }

  #readOut(): void {
    const live = this.#live;
    if (live === null) return;
    const index = this.#pointed;
    if (index === null) {
      const hidden = live.classes.length - this.#rows.length;
      const others =
        hidden > 0 ? ` ${plural(hidden, "further class", "further classes")} held no slab so far.` : "";
      setText(
        byId("slab-readout"),
        this.#rows.length === 0 ? "No slabs: nothing was allocated so far." : HINT + others,
      );
      return;
    }
    const row = this.#rows[Math.floor(index / this.#columns)] ?? 0;
    const column = index % this.#columns;
    const { index: kind = 0, objectSize = 0 } = live.classes[row] ?? {};
    const objects = live.slabMapLive[row]?.[column] ?? 0;
    const size = kind < 0 || objects === 0 ? "" : ` of ${count(objectSize)} bytes`;
    setText(
      byId("slab-readout"),
      `${className(kind, objectSize)}, epoch ${column}: ${this.#amounts(row, column)}${size}.`,
    );
  }

  #rove(index: number): void {
    this.#cells[this.#home]?.setAttribute("tabindex", "-1");
    this.#home = index;
    this.#cells[index]?.setAttribute("tabindex", "0");
  }

  #onKey(event: KeyboardEvent): void {
    if (event.altKey || event.metaKey) return;
    const from = this.#cells.indexOf(event.target as HTMLTableCellElement);
    if (from < 0) return;
    const edge = event.ctrlKey && (event.key === "Home" || event.key === "End");
    const to = edge
      ? event.key === "Home"
        ? 0
        : this.#cells.length - 1
      : move(from, event.key, { count: this.#cells.length, columns: this.#columns });
    if (to === undefined) return;
    event.preventDefault();
    this.#cells[to]?.focus();
  }
}

const visuallyHidden = (text: string): HTMLElement => html("span", { class: "visually-hidden" }, text);
