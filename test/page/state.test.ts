/**
 * Defends: whatever the service sends, the page knows whether it can draw it; what it draws follows from what happened,
 * and a restarted service replaces everything but the past of the curves.
 * Method: a real document of a real heap through `liveState`, every field of it taken away or spoiled in turn; the
 * reducer and the store with sequences of events.
 */
import { describe, expect, test } from "vitest";
import { SlabHeap } from "../../src/allocator/index.js";
import { type LiveState, liveState } from "../../src/http/index.js";
import { announcement } from "../../src/page/leak-words.js";
import { parseMessage } from "../../src/page/message.js";
import { pauseBefore } from "../../src/page/pause.js";
import { INITIAL, reduce, Store } from "../../src/page/store.js";
import { StatsReader } from "../../src/stats/index.js";

function realState(): LiveState {
  const heap = SlabHeap.create({ capacity: 8 * 1024 * 1024 });
  const reader = StatsReader.open(heap);
  const before = reader.snapshot();
  const domain = heap.openDomain({ label: "request" });
  for (let i = 0; i < 100; i++) domain.alloc(128);
  const after = reader.snapshot();
  return liveState({ ...after, timestamp_ns: before.timestamp_ns + 1_000_000_000n }, before);
}

const good = realState();
const leak = (epochId: number, era: number): LiveState["leaks"][number] => ({
  kind: "object",
  epochId,
  era,
  label: "x",
  ageSec: 90,
  refcount: 0,
  liveObjects: 3,
  bytes: 65536,
  sentence: `epoch ${epochId} leaks`,
  action: "free them",
});

describe("messages", () => {
  test("a real one is taken, with rates and without", () => {
    expect(good.rates?.allocsPerSec).toBe(100);
    expect(parseMessage(JSON.stringify(good))).toEqual({ ok: true, live: good });
    expect(parseMessage(JSON.stringify({ ...good, rates: null })).ok).toBe(true);
    expect(
      parseMessage(JSON.stringify({ ...good, leaks: [leak(1, 17)], leakCount: 1, later: "added" })).ok,
    ).toBe(true);
  });

  test("no field may have another type: each is spoiled in turn, and named", () => {
    const spoil = (value: unknown, path: string): string[] => {
      if (typeof value !== "object" || value === null) return [path];
      const entries = Array.isArray(value) ? [...value.entries()].slice(0, 1) : Object.entries(value);
      return [
        path,
        ...entries.flatMap(([key, child]) => spoil(child, path === "" ? `${key}` : `${path}.${key}`)),
      ];
    };
    const paths = spoil({ ...good, leaks: [leak(1, 17)] }, "").filter((path) => path !== "");
    expect(paths.length).toBeGreaterThan(60);
    for (const path of paths) {
      const copy = structuredClone({ ...good, leaks: [leak(1, 17)] }) as unknown as Record<string, unknown>;
      const keys = path.split(".");
      const last = keys.pop() ?? "";
      const parent = keys.reduce((object, key) => object[key] as Record<string, unknown>, copy);
      parent[last] = { spoiled: [true] };
      const message = parseMessage(JSON.stringify(copy));
      expect(message.ok, path).toBe(false);
      if (!message.ok && path !== "version")
        expect(message.reason).toContain(last === "0" ? (keys.at(-1) ?? "") : last);
    }
  });

  test("what is no message at all, or of another version, is said in words", () => {
    for (const text of ["", "{", "null", "7", "[]", '"x"', "{}", '{"version":2}', '{"version":"1"}']) {
      const message = parseMessage(text);
      expect(message.ok).toBe(false);
      if (!message.ok) expect(message.reason).toMatch(/^(an event|the service)/);
    }
    expect(parseMessage('{"version":2}')).toMatchObject({
      reason: expect.stringContaining("reload the page"),
    });
  });

  test("of a version it does not know, at most 40 characters are quoted", () => {
    const quoted = (version: string): string => {
      const message = parseMessage(`{"version":${version}}`);
      if (message.ok) throw new Error(`taken: ${version}`);
      return (
        /^the service sends version (.*) of its events, this page knows/s.exec(message.reason)?.[1] ?? ""
      );
    };
    expect(["2", '"1"', "null", "true", "[1]", '{"major":2}'].map(quoted)).toEqual([
      "2",
      '"1"',
      "null",
      "true",
      "[…]",
      "{…}",
    ]);
    const deep = 200_000;
    for (const version of [
      JSON.stringify("x".repeat(38)),
      JSON.stringify("x".repeat(1_000_000)),
      JSON.stringify('<b>"'.repeat(2000)),
      `${"[".repeat(deep)}${"]".repeat(deep)}`,
    ]) {
      expect(quoted(version).length).toBeLessThanOrEqual(40);
      expect(quoted(version)).not.toBe("");
    }
  });

  test("lists without end are refused before they are drawn", () => {
    const epochs = Array.from({ length: 5000 }, () => good.epochs[0]);
    expect(parseMessage(JSON.stringify({ ...good, epochs })).ok).toBe(false);
  });
});

describe("state", () => {
  test("another heap counts as a restart, the same one does not", () => {
    const first = reduce(INITIAL, { type: "live", live: good, at: 1000 });
    expect(first).toMatchObject({ live: good, restarts: 0, restartedAt: null });
    const second = reduce(first, { type: "live", live: { ...good, timestampMs: 5 }, at: 2000 });
    expect(second.restarts).toBe(0);
    const third = reduce(second, { type: "live", live: { ...good, heapId: "other" }, at: 3000 });
    expect(third).toMatchObject({ restarts: 1, restartedAt: 3000 });
    expect(first.restarts).toBe(0);
  });

  test("a fault is counted, stays until a good event, and keeps what was known", () => {
    let state = reduce(INITIAL, { type: "live", live: good, at: 1000 });
    state = reduce(state, { type: "fault", reason: "odd" });
    state = reduce(state, { type: "fault", reason: "odder" });
    expect(state).toMatchObject({ fault: "odder", faults: 2, live: good });
    expect(reduce(state, { type: "live", live: good, at: 2000 }).fault).toBeNull();
    const down = { kind: "reconnecting", reason: "lost", retryAt: 5 } as const;
    expect(reduce(state, { type: "connection", connection: down })).toMatchObject({
      connection: down,
      live: good,
    });
  });

  test("curves break at a restart and after silence, and nowhere else; restarts are marked", () => {
    const store = new Store();
    let changes = 0;
    store.onChange(() => changes++);
    const live = (at: number, heapId = "a"): void =>
      store.happen({ type: "live", live: { ...good, heapId }, at });
    for (const at of [1000, 2000, 3000]) live(at);
    expect(store.history.column("live")).toEqual([
      good.heap.liveBytes,
      good.heap.liveBytes,
      good.heap.liveBytes,
    ]);
    live(60_000);
    expect(store.history.column("live")[3]).toBeNull();
    expect(store.restartMarks).toEqual([]);
    live(61_000, "b");
    expect(store.history.column("live").slice(-3)).toEqual([good.heap.liveBytes, null, good.heap.liveBytes]);
    expect(store.restartMarks).toEqual([61]);
    expect(changes).toBe(5);
  });

  test("a day of events leaves a bounded past", () => {
    const store = new Store();
    for (let second = 0; second < 20_000; second++) {
      store.happen({ type: "live", live: { ...good, heapId: `${second % 7}` }, at: second * 100 });
    }
    expect(store.history.length).toBeLessThanOrEqual(1500);
    expect(store.restartMarks.length).toBeLessThanOrEqual(16);
  });
});

test("pauses grow from a second to a quarter of a minute and differ from page to page", () => {
  const middle = [1, 2, 3, 4, 5, 6, 100].map((failures) => pauseBefore(failures, 0.5));
  expect(middle).toEqual([1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
  expect([pauseBefore(3, 0), pauseBefore(3, 1)]).toEqual([3000, 5000]);
});

test("leaks are announced when they are new, when all are gone, and not otherwise", () => {
  expect(announcement(null, [], 0)).toBeUndefined();
  expect(announcement(null, [leak(1, 17)], 3)).toBe("3 leaks. epoch 1 leaks");
  expect(announcement([leak(1, 17)], [{ ...leak(1, 17), ageSec: 99 }], 1)).toBeUndefined();
  expect(announcement([leak(1, 17)], [leak(1, 17), leak(2, 18)], 2)).toBe("2 leaks now. New: epoch 2 leaks");
  expect(announcement([leak(1, 17)], [leak(1, 33)], 1)).toBe("1 leak now. New: epoch 1 leaks");
  expect(announcement([leak(1, 17), leak(2, 18)], [leak(2, 18)], 1)).toBeUndefined();
  expect(announcement([leak(2, 18)], [], 0)).toBe("No leaks any more.");
});
