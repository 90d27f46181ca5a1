/**
 * Defends: in one thread the counters are a function of the operations: the same sequence on two heaps gives the same
 * document, apart from what names the heap, the time and the process.
 * Method: random scripts run twice; documents compared after every tenth command. A different script must differ.
 */
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { stringifyStats } from "../../../src/stats/index.js";
import { testSeed } from "../../model/seed.js";
import { type Command, type Script, script } from "./commands.js";
import { World } from "./world.js";

const START = 1_790_000_000_000;
/** What is measured rather than counted, and what names the heap. */
const MEASURED =
  /"(id|timestamp_ns|pid|rss_[a-z_]+|cooperation_pct|epoch_close_total_ns|sum_ns|cpu_sum_ns)":("[^"]*"|-?[0-9.e+-]+|null)/g;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date", "performance"], now: START });
});
afterEach(() => {
  vi.useRealTimers();
});

/** The document as text without what may differ; buckets hold durations. */
function counted(world: World): string {
  const document = world.reader.snapshot();
  const latency = Object.fromEntries(
    Object.entries(document.latency).map(([name, row]) => [name, { ...row, buckets: [] }]),
  );
  return stringifyStats({ ...document, latency } as unknown as typeof document).replace(MEASURED, '"$1":-');
}

/** Documents after every tenth command and at the end. Forged handles are left out: they depend on the heap's random id. */
function run({ options, seats, releasing }: Script, commands: readonly Command[]): string[] {
  vi.setSystemTime(START);
  const world = new World(options, releasing);
  const documents: string[] = [];
  try {
    for (let i = 1; i < seats; i++) world.attach();
    commands.forEach((command, i) => {
      world.run(command);
      if (i % 10 === 9) documents.push(counted(world));
    });
    world.rest();
    documents.push(counted(world));
  } finally {
    world.dispose();
  }
  return documents;
}

test("the same sequence twice, and one allocation more", () => {
  const seed = testSeed("stats, same seed");
  fc.assert(
    fc.property(script, (given) => {
      const commands = given.commands.filter(({ op }) => op !== "freeWrong");
      const once = run(given, commands);
      const again = run(given, commands);
      expect(again).toEqual(once);
      // The comparison can fail.
      const more: Command = { op: "alloc", seat: 0, kind: 0, size: 0, times: 0, how: 0 };
      expect(run(given, [...commands, more]).at(-1)).not.toBe(once.at(-1));
    }),
    { seed, numRuns: 40, endOnFailure: true },
  );
});

test("what is left out is measured: it differs, or may", () => {
  const world = new World({ capacity: 65536, slabSize: 4096, maxWorkers: 2 }, false);
  const text = stringifyStats(world.reader.snapshot());
  const names = new Set([...text.matchAll(MEASURED)].map(([, name]) => name));
  for (const name of ["id", "timestamp_ns", "rss_bytes_current", "sum_ns"]) expect(names).toContain(name);
  for (const name of ["bitmap_alloc_attempts", "live_objects", "advances"]) expect(names).not.toContain(name);
  world.dispose();
});
