/** The figures at a glance. Each keeps its place and width; what is not known is a dash. */
import type { LiveState } from "../http/live-state.js";
import { byId, html, setAttribute, setText } from "./dom.js";
import { bytes, percent, plural, rate, share, short, UNKNOWN } from "./format.js";
import type { PageState } from "./store.js";

interface Figure {
  readonly name: string;
  readonly value: (live: LiveState) => string;
  readonly more: (live: LiveState) => string;
  /** Part of the whole, 0 to 1, drawn as a bar beside the words. */
  readonly part?: (live: LiveState) => number | null;
}

const ofWhole = (part: number, whole: number | null): number | null =>
  whole !== null && whole > 0 ? Math.min(1, part / whole) : null;

const FIGURES: readonly Figure[] = [
  {
    name: "Live",
    value: ({ heap }) => bytes(heap.liveBytes),
    more: ({ heap }) => `${percent(share(heap.liveBytes, heap.committedBytes))} of committed`,
    part: ({ heap }) => ofWhole(heap.liveBytes, heap.committedBytes),
  },
  {
    name: "Committed",
    value: ({ heap }) => bytes(heap.committedBytes),
    more: ({ heap }) =>
      heap.capacityBytes === null
        ? "capacity not known"
        : `${percent(share(heap.committedBytes, heap.capacityBytes))} of ${bytes(heap.capacityBytes)}`,
    part: ({ heap }) => ofWhole(heap.committedBytes, heap.capacityBytes),
  },
  {
    name: "Live objects",
    value: ({ heap }) => short(heap.liveObjects),
    more: ({ heap, epochs }) =>
      heap.slabCount === null || heap.freeSlabs === null
        ? `in ${plural(
            epochs.reduce((all, epoch) => all + epoch.slabs, 0),
            "slab",
          )}`
        : `${plural(heap.slabCount - heap.freeSlabs, "slab")} in use`,
  },
  {
    name: "Allocations",
    value: ({ rates }) => rate(rates?.allocsPerSec ?? null),
    more: ({ rates }) => `${rate(rates?.freesPerSec ?? null)} freed`,
  },
  {
    name: "Remote frees",
    value: ({ rates }) => rate(rates?.remoteFreesPerSec ?? null),
    more: ({ rates }) =>
      `${percent(rates ? share(rates.remoteFreesPerSec, rates.freesPerSec) : null)} of frees`,
  },
  {
    name: "Slow path",
    value: ({ rates }) => rate(rates?.slowPathPerSec ?? null),
    more: ({ rates }) =>
      `${percent(rates ? share(rates.slowPathPerSec, rates.allocsPerSec) : null)} of allocations`,
  },
  {
    name: "Close yield",
    value: ({ rates }) => percent(rates?.closeYieldPct ?? null),
    more: ({ rates }) => `${rate(rates?.closesPerSec ?? null)} closed`,
  },
];

export class Figures {
  readonly #rows: { value: HTMLElement; more: HTMLElement; bar: HTMLElement | undefined }[];

  constructor() {
    this.#rows = FIGURES.map(({ name, part }) => {
      const value = html("span", { class: "value" }, UNKNOWN);
      const more = html("span", { class: "more" }, " ");
      const bar = part === undefined ? undefined : html("span");
      const definition = html("dd", {}, value, more);
      if (bar !== undefined) definition.append(html("span", { class: "meter", "aria-hidden": "true" }, bar));
      byId("figures").append(html("div", { class: "card figure" }, html("dt", {}, name), definition));
      return { value, more, bar };
    });
  }

  draw({ live }: PageState): void {
    if (live === null) return;
    FIGURES.forEach((figure, index) => {
      const row = this.#rows[index];
      if (row === undefined) return;
      setText(row.value, figure.value(live));
      setText(row.more, figure.more(live));
      if (row.bar === undefined) return;
      const part = figure.part?.(live) ?? 0;
      row.bar.style.width = `${(100 * part).toFixed(1)}%`;
      setAttribute(row.bar, "data-full", part > 0.95 ? "" : null);
    });
  }
}
