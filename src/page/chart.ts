/** One picture of curves: uPlot with our scales and colours, a legend that switches curves, and words for both. */
import uPlot from "uplot";
import { type CurvePlan, format, type SeriesPlan } from "./curve-plans.js";
import { html, inside, scrollable, setAttribute, setHidden, setText, svg } from "./dom.js";
import { clock, rounded, UNKNOWN } from "./format.js";
import type { History, Value } from "./history.js";
import { niceMax, niceMaxBytes, quarters } from "./scale.js";
import { type Curve, WINDOW_SEC } from "./store.js";
import { colour } from "./theme.js";

/** The picture begins with this much time and grows to WINDOW_SEC. */
const FIRST_WINDOW_SEC = 60;
const TABLE_ROWS = 12;
const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif';

export class Chart {
  readonly element: HTMLElement;
  readonly #plan: CurvePlan;
  readonly #plot: HTMLElement;
  readonly #values: HTMLElement[] = [];
  #uplot: uPlot | undefined;
  #history: History<Curve> | undefined;
  #marks: readonly number[] = [];
  #colours: string[] = [];
  /** The row the reader looks at; null: the newest. */
  #looking: number | null = null;

  constructor(plan: CurvePlan) {
    this.#plan = plan;
    this.#plot = html(
      "div",
      {
        class: "plot",
        tabindex: "0",
        role: "slider",
        "aria-label": `${plan.title}: point in time`,
        "aria-valuemin": "0",
        "aria-valuemax": "0",
        "aria-valuenow": "0",
        "aria-valuetext": "newest; arrow keys read earlier points",
      },
      html("p", { class: "empty", hidden: "" }),
    );
    this.element = html(
      "section",
      { class: "card curve", id: `curve-${plan.id}`, "aria-labelledby": `curve-${plan.id}-title` },
      html(
        "div",
        { class: "head" },
        html("h3", { id: `curve-${plan.id}-title` }, plan.title),
        html("p", { class: "aside" }, plan.aside),
      ),
      this.#plot,
      html(
        "ul",
        { class: "legend", "aria-label": "Curves shown" },
        ...plan.series.map((series, i) => this.#legend(series, i)),
      ),
      html("p", { class: "summary" }, "Waiting for the first event."),
      html(
        "details",
        { class: "as-table" },
        html("summary", {}, "Latest points as a table"),
        scrollable(html("div", { class: "scroll" }), `Table: ${plan.title}`),
      ),
    );
    inside(this.element, "details").addEventListener("toggle", () => this.#drawTable());
    this.#plot.addEventListener("keydown", (event) => this.#onKey(event));
    this.#plot.addEventListener("blur", () => this.#look(null));
    new ResizeObserver(() => this.#fit()).observe(this.#plot);
  }

  draw(history: History<Curve>, marks: readonly number[]): void {
    this.#history = history;
    this.#marks = marks;
    const now = history.times.at(-1) ?? 0;
    const empty = this.#plan.empty(history, now);
    const notice = inside(this.#plot, ".empty");
    setHidden(notice, empty === null);
    setText(notice, empty ?? "");
    setText(inside(this.element, ".summary"), this.#plan.summary(history));
    if (this.#uplot === undefined) this.#make();
    this.#uplot?.setData(this.#data(), true);
    this.#drawValues();
    this.#drawTable();
  }

  recolour(): void {
    this.#readColours();
    this.#uplot?.redraw();
  }

  #legend({ name, line, dash, width, off = false }: SeriesPlan, index: number): HTMLLIElement {
    const value = html("span", { class: "value" }, UNKNOWN);
    this.#values.push(value);
    const stroke = svg("line", { x1: "0", y1: "5", x2: "20", y2: "5", "stroke-width": String(width) });
    if (dash.length > 0) stroke.setAttribute("stroke-dasharray", dash.join(" "));
    const sample = svg("svg", { class: `line-${line}`, viewBox: "0 0 20 10", "aria-hidden": "true" }, stroke);
    const button = html(
      "button",
      { type: "button", "aria-pressed": String(!off) },
      sample,
      html("span", { class: "name" }, name),
      value,
    );
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      setAttribute(button, "aria-pressed", String(shown));
      this.#uplot?.setSeries(index + 1, { show: shown });
    });
    return html("li", {}, button);
  }

  #data(): uPlot.AlignedData {
    const history = this.#history;
    if (history === undefined) return [[]];
    return [
      history.times as number[],
      ...this.#plan.series.map(({ curve }) => history.column(curve) as Value[]),
    ];
  }

  #readColours(): void {
    this.#colours = [
      colour("text-muted"),
      colour("grid"),
      ...this.#plan.series.map(({ line }) => colour(`line-${line}`)),
    ];
  }

  #make(): void {
    this.#readColours();
    const { unit, floor, series } = this.#plan;
    const text = (): string => this.#colours[0] ?? "";
    const grid = (): string => this.#colours[1] ?? "";
    const words = format[unit];
    const size = this.#size();
    this.#uplot = new uPlot(
      {
        ...size,
        padding: [8, 22, 0, 0],
        legend: { show: false },
        cursor: { drag: { setScale: false, x: false, y: false }, y: false, points: { size: 7 } },
        select: { show: false, left: 0, top: 0, width: 0, height: 0 },
        scales: {
          x: {
            time: false,
            range: (_, min, max) => [Math.max(max - WINDOW_SEC, Math.min(min, max - FIRST_WINDOW_SEC)), max],
          },
          y: {
            range: (_, __, max) => [
              0,
              unit === "percent"
                ? floor
                : unit === "bytes"
                  ? niceMaxBytes(max ?? 0, floor)
                  : niceMax(max ?? 0, floor),
            ],
          },
        },
        axes: [
          {
            stroke: text,
            font: FONT,
            size: 26,
            gap: 6,
            space: 64,
            incrs: [5, 10, 15, 30, 60, 120],
            ticks: { show: false },
            grid: { show: false },
            values: (_, splits) => splits.map((second) => clock(second * 1000, second % 60 !== 0)),
          },
          {
            stroke: text,
            font: FONT,
            size: 62,
            gap: 6,
            splits: (u) => quarters(u.scales.y?.max ?? floor),
            ticks: { show: false },
            grid: { stroke: grid, width: 1 },
            values: (_, splits) => splits.map((value) => rounded(words(value))),
          },
        ],
        series: [
          {},
          ...series.map(({ dash, width, off = false }, index) => ({
            show: !off,
            stroke: () => this.#colours[index + 2] ?? "",
            width,
            dash: [...dash],
            points: { show: unit === "percent", size: 4 },
          })),
        ],
        hooks: {
          draw: [(u) => this.#drawMarks(u)],
          setCursor: [
            (u) => {
              // Under the pointer; keys set #looking themselves.
              if (u.cursor.event !== undefined || u.cursor.idx === null) {
                this.#looking = u.cursor.idx ?? null;
                this.#drawValues();
              }
            },
          ],
        },
      },
      this.#data(),
      this.#plot,
    );
    this.#fit();
  }

  /** A dashed line and a word where another heap began. */
  #drawMarks(u: uPlot): void {
    const { ctx, bbox } = u;
    const { min = 0, max = 0 } = u.scales.x ?? {};
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = this.#colours[0] ?? "";
    ctx.lineWidth = ratio;
    ctx.font = FONT.replace("11px", `${11 * ratio}px`);
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    for (const mark of this.#marks) {
      if (mark < (min ?? 0) || mark > (max ?? 0)) continue;
      const x = Math.round(u.valToPos(mark, "x", true));
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const right = x > bbox.left + bbox.width - 60 * ratio;
      ctx.textAlign = right ? "right" : "left";
      ctx.fillText("restart", x + (right ? -4 : 4) * ratio, bbox.top + 11 * ratio);
    }
    ctx.restore();
  }

  #size(): { width: number; height: number } {
    return { width: Math.max(120, this.#plot.clientWidth), height: Math.max(120, this.#plot.clientHeight) };
  }

  #fit(): void {
    const u = this.#uplot;
    const size = this.#size();
    if (u !== undefined && (u.width !== size.width || u.height !== size.height)) u.setSize(size);
  }

  #onKey(event: KeyboardEvent): void {
    const last = (this.#history?.length ?? 0) - 1;
    if (last < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const from = this.#looking ?? last;
    const steps: Readonly<Record<string, number>> = {
      ArrowLeft: from - 1,
      ArrowDown: from - 1,
      ArrowRight: from + 1,
      ArrowUp: from + 1,
      PageUp: from + 10,
      PageDown: from - 10,
      Home: 0,
      End: last,
    };
    const to = steps[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.#look(Math.min(last, Math.max(0, to)));
  }

  #look(index: number | null): void {
    const u = this.#uplot;
    const history = this.#history;
    if (u === undefined || history === undefined) return;
    const time = index === null ? undefined : history.times[index];
    u.setCursor({
      left: time === undefined ? -10 : u.valToPos(time, "x"),
      top: time === undefined ? -10 : 8,
    });
    this.#looking = index;
    this.#drawValues();
    if (time === undefined || index === null) return;
    const row = this.#plan.series.map(
      ({ curve, name }) => `${name} ${this.#words(history.column(curve)[index])}`,
    );
    setAttribute(this.#plot, "aria-valuemax", String(history.length - 1));
    setAttribute(this.#plot, "aria-valuenow", String(index));
    setAttribute(this.#plot, "aria-valuetext", `${clock(time * 1000, true)}: ${row.join(", ")}`);
  }

  #words(value: Value): string {
    return format[this.#plan.unit](value ?? null);
  }

  #drawValues(): void {
    const history = this.#history;
    if (history === undefined) return;
    const index = Math.min(this.#looking ?? history.length - 1, history.length - 1);
    setAttribute(this.element, "data-looking", this.#looking === null ? null : "");
    this.#plan.series.forEach(({ curve }, i) => {
      const value = this.#values[i];
      if (value !== undefined) setText(value, this.#words(history.column(curve)[index]));
    });
  }

  /** Newest first; only while it is unfolded. */
  #drawTable(): void {
    const details = inside<HTMLDetailsElement>(this.element, "details");
    const history = this.#history;
    if (!details.open || history === undefined) return;
    const { series } = this.#plan;
    const rows: HTMLTableRowElement[] = [];
    for (let index = history.length - 1; index >= 0 && rows.length < TABLE_ROWS; index--) {
      const cells = series.map(({ curve }) => html("td", {}, this.#words(history.column(curve)[index])));
      const time = clock((history.times[index] ?? 0) * 1000, true);
      rows.push(html("tr", {}, html("th", { scope: "row" }, time), ...cells));
    }
    const head = ["Time", ...series.map(({ name }) => name)].map((name) =>
      html("th", { scope: "col" }, name),
    );
    inside(details, ".scroll").replaceChildren(
      html("table", {}, html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...rows)),
    );
  }
}
