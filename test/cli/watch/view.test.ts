/**
 * Defends: the screens of `watch` and `top` fit every terminal, in colour, whatever the documents hold; and the most
 * important figures are the last to go.
 * Method: any documents and sizes, played to a strict terminal; fixed sizes by hand.
 */
import fc from "fast-check";
import { createColors } from "picocolors";
import { describe, expect, it } from "vitest";
import { clip, frameUpdate, type Size } from "../../../src/cli/screen/frame.js";
import { Control } from "../../../src/cli/top/control.js";
import { topScreen } from "../../../src/cli/top/view.js";
import { Feed } from "../../../src/cli/watch/feed.js";
import { History } from "../../../src/cli/watch/history.js";
import { type Interval, intervalOf } from "../../../src/cli/watch/interval.js";
import { type WatchState, watchLines } from "../../../src/cli/watch/view.js";
import { anyDocument } from "../../stats/diagnostics/builder.js";
import { Vt } from "../screen/vt.js";
import { heapAt } from "./service.js";

const COLORS = createColors(true);
const feed = () =>
  new Feed({
    description: "http://host/日本",
    live: true,
    read: () => Promise.reject(new Error("not asked")),
    sample: () => Promise.reject(new Error("not asked")),
    close: async () => {},
  });

function stateOf(interval: Interval, more: Partial<WatchState> = {}): WatchState {
  const history = new History();
  history.add(interval);
  return {
    feed: feed(),
    intervalMs: 1000,
    history,
    interval,
    restart: undefined,
    paused: false,
    nowMs: 0,
    ...more,
  };
}

function shown(lines: readonly string[], size: Size): string[] {
  const vt = new Vt(size.columns, size.rows);
  vt.write(frameUpdate(undefined, clip(lines, size), size));
  expect(vt.colored).toBe(false);
  return vt.lines;
}

const size = fc.record({ columns: fc.integer({ min: 1, max: 200 }), rows: fc.integer({ min: 1, max: 60 }) });

describe("the screen of watch", () => {
  it("fits every terminal", () => {
    fc.assert(
      fc.property(anyDocument, size, fc.boolean(), (document, at, paused) => {
        const failing = feed();
        failing.fail("down\n  \u{1F4A5} cause");
        const restart = { reason: "heap.id differs \u001b[2J", atMs: -5000 };
        const state = stateOf(intervalOf(undefined, document), { feed: failing, restart, paused });
        shown(watchLines(state, at, COLORS), at);
      }),
    );
  });

  it("keeps what matters most where there is little room", () => {
    const state = stateOf(intervalOf(heapAt(1), heapAt(2)));
    const names = (rows: number): string[] =>
      shown(watchLines(state, { columns: 100, rows }, COLORS), { columns: 100, rows })
        .slice(4)
        .map((line) => line.split(/ {2,}/)[0] ?? "")
        .filter((name) => name !== "");
    expect(names(12)).toEqual([
      "allocs",
      "frees",
      "slow path",
      "committed",
      "live",
      "leaking epochs",
      "q quit",
    ]);
    expect(names(40)).toContain("discarded objects");
    // What never was the cause is the first to go.
    const full = shown(watchLines(state, { columns: 100, rows: 30 }, COLORS), { columns: 100, rows: 30 });
    expect(full.join("\n")).toContain("  slab full");
    expect(full.join("\n")).not.toContain("slab of a dead thread adopted");
    expect(full.at(-1)).toContain("q quit");
  });
});

describe("the screen of watch, when it is low", () => {
  const state = stateOf(intervalOf(heapAt(1), heapAt(2)));
  const lines = (columns: number, rows: number, more: Partial<WatchState> = {}): string[] =>
    shown(watchLines({ ...state, ...more }, { columns, rows }, COLORS), { columns, rows });

  it("gives up empty lines, then where the heap stands, then the keys, but no figures", () => {
    const firstWords = (found: readonly string[]): string[] =>
      found.map((line) => line.trim().split(/ +/)[0] ?? "");
    expect(firstWords(lines(60, 9))).toEqual(["tslab", "pid", "", "per", "allocs", "frees", "slow", "", "q"]);
    expect(firstWords(lines(60, 7))).toEqual(["tslab", "pid", "per", "allocs", "frees", "slow", "q"]);
    expect(firstWords(lines(60, 6))).toEqual(["tslab", "per", "allocs", "frees", "slow", "q"]);
    expect(firstWords(lines(20, 5))).toEqual(["tslab", "per", "allocs", "frees", "slow"]);
    expect(firstWords(lines(60, 7, { paused: true })).slice(0, 3)).toEqual(["tslab", "paused;", "per"]);
  });
});

describe("curves", () => {
  const title = (intervalMs: number, columns: number): string => {
    const state = stateOf(intervalOf(heapAt(1), heapAt(2)), { intervalMs });
    return watchLines(state, { columns, rows: 40 }, createColors(false))[3]?.match(/last .*$/)?.[0] ?? "";
  };

  it("say how much time their bars stand for, which is no more than is kept", () => {
    expect(title(1000, 100)).toBe("last 2 min");
    // 600 intervals are kept.
    expect(title(50, 140)).toBe("last 30 s");
    expect(title(100, 140)).toBe("last 60 s");
    // Each bar is an interval.
    expect(title(60_000, 200)).toBe("last 60 min");
  });
});

describe("the screen of top", () => {
  it("fits every terminal", () => {
    const kind = fc.constantFrom("classes" as const, "epochs" as const);
    fc.assert(
      fc.property(anyDocument, size, kind, fc.boolean(), (document, at, which, help) => {
        const control = new Control({ kind: which, by: undefined, n: 20, ascending: false });
        control.help = help;
        const look = { document, span: undefined, restarted: "pid differs" };
        shown(topScreen({ feed: feed(), intervalMs: 1000, control, look }, at, COLORS), at);
      }),
    );
  });
});
