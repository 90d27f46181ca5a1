/** Which curves the page draws, in which words and colours, and what each says without a picture. */
import { bytes, duration, percent, rate, share, short } from "./format.js";
import type { History } from "./history.js";
import { CAUSES } from "./message.js";
import type { Curve } from "./store.js";

export interface SeriesPlan {
  readonly curve: Curve;
  readonly name: string;
  /** Of the style sheet: --line-0 to --line-8. */
  readonly line: number;
  /** Lengths of dashes and gaps; none for a solid line. */
  readonly dash: readonly number[];
  readonly width: number;
  /** Not drawn until it is asked for: it would dwarf the others. */
  readonly off?: boolean;
}

export interface CurvePlan {
  readonly id: string;
  readonly title: string;
  readonly aside: string;
  readonly unit: "rate" | "bytes" | "percent";
  /** The scale never ends below this. */
  readonly floor: number;
  readonly series: readonly SeriesPlan[];
  /** In place of a picture that would show nothing; null while there is something to see. `now` in seconds. */
  readonly empty: (history: History<Curve>, now: number) => string | null;
  readonly summary: (history: History<Curve>) => string;
}

export const format = { rate, bytes, percent } as const;

const CAUSE_NAMES: Readonly<Record<(typeof CAUSES)[number], string>> = {
  cacheMiss: "cache miss",
  epochClosed: "epoch closed",
  partialNull: "no slab yet",
  partialFull: "slab full",
  collected: "collected",
  adopted: "adopted",
  reused: "reused",
  outOfMemory: "out of memory",
};

/** Told apart without their colours. */
const DASHES: readonly (readonly number[])[] = [
  [],
  [6, 3],
  [2, 2],
  [8, 3, 2, 3],
  [12, 4],
  [4, 2],
  [1, 3],
  [10, 2, 2, 2, 2, 2],
];

const solid = (curve: Curve, name: string, line: number): SeriesPlan => ({
  curve,
  name,
  line,
  dash: [],
  width: 1.75,
});
const dashed = (curve: Curve, name: string, line: number, dash: readonly number[]): SeriesPlan => ({
  ...solid(curve, name, line),
  dash,
});

const MINUTE = 60;
const over = (history: History<Curve>): string =>
  duration((history.times.at(-1) ?? 0) - (history.times[0] ?? 0));

export const CURVE_PLANS: readonly CurvePlan[] = [
  {
    id: "slow-path",
    title: "Slow path",
    aside: "per second, by cause; causes overlap",
    unit: "rate",
    floor: 4,
    series: [
      { ...solid("slowPath", "all", 0), width: 2.5 },
      ...CAUSES.map((cause, index) => dashed(cause, CAUSE_NAMES[cause], index + 1, DASHES[index] ?? [])),
    ],
    empty: (history, now) =>
      (history.max("slowPath", now - MINUTE) ?? 0) > 0 || (history.max("slowPath") ?? 0) > 0
        ? (history.max("slowPath", now - MINUTE) ?? 0) > 0
          ? null
          : "No slow path in the last minute"
        : "No slow path so far",
    summary: (history) => {
      const most = CAUSES.map((cause) => ({ cause, peak: history.latest(cause) ?? 0 })).reduce((a, b) =>
        b.peak > a.peak ? b : a,
      );
      const cause = most.peak > 0 ? ` Most often now: ${CAUSE_NAMES[most.cause]}.` : "";
      return `${rate(history.latest("slowPath"))} now, at most ${rate(history.max("slowPath"))} in ${over(history)}.${cause}`;
    },
  },
  {
    id: "memory",
    title: "Memory",
    aside: "live against committed",
    unit: "bytes",
    floor: 64 * 1024,
    series: [
      solid("live", "live", 1),
      dashed("committed", "committed", 4, [6, 3]),
      { ...dashed("rss", "process RSS", 8, [2, 2]), off: true },
    ],
    empty: () => null,
    summary: (history) => {
      const live = history.latest("live");
      const committed = history.latest("committed");
      return `${bytes(live)} live now, ${percent(share(live ?? 0, committed ?? 0))} of ${bytes(committed)} committed; at most ${bytes(history.max("committed"))} in ${over(history)}.`;
    },
  },
  {
    id: "throughput",
    title: "Allocations and frees",
    aside: "per second",
    unit: "rate",
    floor: 4,
    series: [
      solid("allocs", "allocated", 1),
      dashed("frees", "freed", 3, [6, 3]),
      dashed("remoteFrees", "remotely", 2, [2, 2]),
    ],
    empty: (history) =>
      (history.max("allocs") ?? 0) > 0 || (history.max("frees") ?? 0) > 0
        ? null
        : "Nothing allocated or freed so far",
    summary: (history) => {
      const remote = history.latest("remoteFrees");
      return `${rate(history.latest("allocs"))} allocated now; ${rate(remote)}, ${percent(share(remote ?? 0, history.latest("frees") ?? 0))} of frees, by another thread than the allocating one.`;
    },
  },
  {
    id: "close-yield",
    title: "Close yield",
    aside: "slabs given back of those looked at",
    unit: "percent",
    floor: 100,
    series: [solid("closeYield", "yield", 5)],
    empty: (history) => (history.max("closeYield") === null ? "No epoch was closed so far" : null),
    summary: (history) =>
      `${percent(history.latest("closeYield"))} now; ${short(history.latest("closes"))} closes per second. A low yield means closed epochs still hold objects.`,
  },
];
