/** What the page knows, and how each thing that happens changes it. */
import type { LiveState } from "../http/live-state.js";
import { History, type Value } from "./history.js";
import { CAUSES } from "./message.js";

export type Connection =
  | { readonly kind: "connecting" }
  | { readonly kind: "open" }
  /** Lost, refused or silent; the next attempt starts at `retryAt` (milliseconds since 1970). */
  | { readonly kind: "reconnecting"; readonly reason: string; readonly retryAt: number }
  /** By the reader's wish. */
  | { readonly kind: "paused" }
  /** The tab is hidden: nobody looks, so the service is left alone. */
  | { readonly kind: "hidden" }
  /** A token is needed; `refused`: one was sent and not accepted. */
  | { readonly kind: "locked"; readonly refused: boolean };

export interface PageState {
  readonly connection: Connection;
  /** The latest event; stays while the connection is down. */
  readonly live: LiveState | null;
  /** When it came, milliseconds since 1970 by the page's own clock. */
  readonly receivedAt: number | null;
  /** How often another heap took the place of the one before. */
  readonly restarts: number;
  readonly restartedAt: number | null;
  /** What was wrong with the latest event; null once one is well again. */
  readonly fault: string | null;
  readonly faults: number;
}

export type Happening =
  | { readonly type: "connection"; readonly connection: Connection }
  | { readonly type: "live"; readonly live: LiveState; readonly at: number }
  | { readonly type: "fault"; readonly reason: string };

export const INITIAL: PageState = {
  connection: { kind: "connecting" },
  live: null,
  receivedAt: null,
  restarts: 0,
  restartedAt: null,
  fault: null,
  faults: 0,
};

/** The state after `happening`; `before` is left as it is. */
export function reduce(before: PageState, happening: Happening): PageState {
  switch (happening.type) {
    case "connection":
      return { ...before, connection: happening.connection };
    case "fault":
      return { ...before, fault: happening.reason, faults: before.faults + 1 };
    case "live": {
      const { live, at } = happening;
      const restarted = isOtherHeap(before.live, live);
      return {
        ...before,
        live,
        receivedAt: at,
        restarts: before.restarts + (restarted ? 1 : 0),
        restartedAt: restarted ? at : before.restartedAt,
        fault: null,
      };
    }
  }
}

const isOtherHeap = (before: LiveState | null, now: LiveState): boolean =>
  before !== null && before.heapId !== now.heapId;

export type Curve =
  | (typeof CAUSES)[number]
  | "slowPath"
  | "allocs"
  | "frees"
  | "remoteFrees"
  | "closes"
  | "closeYield"
  | "live"
  | "committed"
  | "rss";

const CURVES: readonly Curve[] = [
  ...CAUSES,
  "slowPath",
  "allocs",
  "frees",
  "remoteFrees",
  "closes",
  "closeYield",
  "live",
  "committed",
  "rss",
];

/** How far back the curves go, in seconds. */
export const WINDOW_SEC = 300;
/** Rows kept at most: five a second for as long as the curves go back. */
const ROWS = 1500;
/** Marks of restarts kept. */
const MARKS = 16;

/** The state, the curves behind it, and who wants to know. */
export class Store {
  #state = INITIAL;
  readonly #listeners: (() => void)[] = [];
  #restartMarks: number[] = [];
  readonly history = new History<Curve>(CURVES, ROWS, WINDOW_SEC + 30);

  get state(): PageState {
    return this.#state;
  }

  /** When the service restarted, in seconds, as in the history; only what its curves still show. */
  get restartMarks(): readonly number[] {
    return this.#restartMarks;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  happen(happening: Happening): void {
    if (happening.type === "live") this.#remember(happening.live, happening.at);
    this.#state = reduce(this.#state, happening);
    for (const listener of this.#listeners) listener();
  }

  #remember(live: LiveState, at: number): void {
    const { live: before, receivedAt } = this.#state;
    const seconds = at / 1000;
    if (isOtherHeap(before, live)) {
      this.history.break(seconds);
      this.#restartMarks = [...this.#restartMarks, seconds].slice(-MARKS);
    } else if (receivedAt !== null && at - receivedAt > silenceMs(live)) {
      this.history.break(seconds);
    }
    this.history.push(seconds, rowOf(live));
    const oldest = this.history.times[0] ?? seconds;
    if ((this.#restartMarks[0] ?? oldest) < oldest) {
      this.#restartMarks = this.#restartMarks.filter((mark) => mark >= oldest);
    }
  }
}

/** Longer than this between two events, and the curve has a hole. */
const silenceMs = (live: LiveState): number => Math.max(3000, 2500 * (live.rates?.seconds ?? 1));

function rowOf(live: LiveState): Partial<Record<Curve, Value>> {
  const { heap, rates } = live;
  const row: Partial<Record<Curve, Value>> = {
    live: heap.liveBytes,
    committed: heap.committedBytes,
    // 0: the runtime cannot tell.
    rss: (heap.rssBytes ?? 0) > 0 ? heap.rssBytes : undefined,
  };
  if (rates === null || rates === undefined) return row;
  for (const cause of CAUSES) row[cause] = rates.slowPathByCause[cause];
  row.slowPath = rates.slowPathPerSec;
  row.allocs = rates.allocsPerSec;
  row.frees = rates.freesPerSec;
  row.remoteFrees = rates.remoteFreesPerSec;
  row.closes = rates.closesPerSec;
  row.closeYield = rates.closeYieldPct ?? undefined;
  return row;
}
