/**
 * Defends: `tslab top` as it is typed: the attested command lines with documents of the C allocator in both shapes, golden
 * tables, rates over a window, JSON, what is refused and what the message says to do instead.
 * Method: the command itself with made-up streams; the built program behind a pipe; a service that a test decides.
 */
import { spawnSync } from "node:child_process";
import { renameSync, writeFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { topCommand } from "../../../src/cli/top/command.js";
import { stringifyStats } from "../../../src/stats/index.js";
import { documentWith, epochRow, eraRow } from "../../stats/diagnostics/builder.js";
import { benchFile, statsDump } from "../../stats/document/fixtures.js";
import { runCommand } from "../screen/streams.js";
import { heapAt, Service } from "../watch/service.js";

const MAIN = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
// The fixtures are what the C programs write, and no documents of ours: only the digits matter here.
const text = (document: unknown): string => stringifyStats(document as Parameters<typeof stringifyStats>[0]);
const DUMP = text(statsDump());
const BENCH = text(benchFile());
const top = (line: string, input = DUMP, columns?: number) =>
  runCommand(topCommand, line.split(" "), { input, ...(columns !== undefined && { columns }) });

describe("the attested command lines", () => {
  it("tslab top --epochs --by age_sec --stdin", async () => {
    const { code, out } = await top("--epochs --by age_sec --stdin");
    expect(code).toBe(0);
    expect(out).toBe(
      [
        "top epochs by age_sec",
        "epoch  era    state    age   refcount  rss     label",
        "12     9996   CLOSING  600s  2         0.01MB  background-worker-3",
        "0      10000  CLOSING  0s    0         0.00MB",
        "1      10001  CLOSING  0s    0         0.00MB",
        "2      10002  ACTIVE   0s    0         0.01MB",
        "3      9987   CLOSING  0s    0         0.00MB",
        "",
      ].join("\n"),
    );
  });

  it("tslab top --epochs --by rss_bytes --stdin, second shape", async () => {
    const { out } = await top("--epochs --by rss_bytes --stdin", BENCH);
    expect(out).toBe(
      [
        "top epochs by rss_bytes",
        "epoch  era  state    age  refcount  rss     label",
        "1      1    CLOSING  90s  0         0.04MB  leaky",
        "0      0    CLOSING  90s  0         0.00MB",
        "2      2    CLOSING  30s  0         0.00MB",
        "3      3    ACTIVE   0s   1         0.00MB",
        "",
      ].join("\n"),
    );
  });

  it("tslab top --epochs --by refcount --n 5, as the C program writes it", async () => {
    const epoch = epochRow({
      epoch_id: 12,
      epoch_era: 345,
      state: "ACTIVE",
      age_sec: 10.9,
      refcount: 2,
      label: "background-worker-3",
      eras: [eraRow({ epoch_era: 345, total_full_slabs: 64 })],
    });
    const { out } = await top(
      "--epochs --by refcount --n 5 --stdin",
      stringifyStats(documentWith({ epochs: [epoch] })),
    );
    expect(out).toBe(
      [
        "top epochs by refcount",
        "epoch  era  state   age  refcount  rss     label",
        "12     345  ACTIVE  10s  2         4.00MB  background-worker-3",
        "",
      ].join("\n"),
    );
  });

  it.each([
    ["bitmap_alloc_cas_retries", DUMP, ["7", "6", "5", "4", "3"]],
    ["bitmap_alloc_cas_retries", BENCH, ["0", "1", "2", "3", "4"]],
    ["slow_path_hits", DUMP, ["2", "0", "1", "3", "4"]],
  ])("tslab top --classes --by %s --n 5", async (by, input, classes) => {
    const { out } = await top(`--classes --by ${by} --n 5 --stdin`, input);
    const [heading, titles, ...rows] = out.trimEnd().split("\n");
    expect(heading).toBe(`top classes by ${by}`);
    expect(titles).toMatch(new RegExp(`^class  object_size  ${by}  `));
    expect(rows.map((row) => row.trim().split(/\s+/)[0])).toEqual(classes);
  });

  it("work behind a pipe with the built program", () => {
    for (const input of [DUMP, BENCH]) {
      const args = [MAIN, "top", "--epochs", "--by", "age_sec", "--stdin"];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { input, encoding: "utf8" });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(stdout).toMatch(/^top epochs by age_sec\nepoch {2}era .*label\n\d/);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: there must be none.
      expect(stdout).not.toMatch(/\u001b/);
    }
  });
});

describe("tables", () => {
  it("without epochs say what to do", async () => {
    const { epochs: _, ...old } = statsDump();
    const { code, out } = await top("--epochs --stdin", text(old));
    expect(code).toBe(0);
    expect(out).toMatch(/^this document has no epochs\[\].*--classes/);
  });

  it("keep to the terminal: columns that matter less go first, labels are shortened", async () => {
    const { out } = await top("--epochs --by refcount --n 1 --stdin", DUMP, 56);
    expect(out).toContain("12     9996  CLOSING  600s  2         0.01MB  backgroun…");
    const narrow = await top("--epochs --by refcount --n 1 --stdin", DUMP, 36);
    expect(narrow.out).toContain("\nepoch  era   age   refcount  rss\n12 ");
    const classes = await top("--n 1 --stdin", DUMP, 40);
    expect(classes.out.trimEnd().split("\n")).toEqual([
      "top classes by slow_path_hits",
      "class  object_size  slow_path_hits",
      "    2          128              50",
    ]);
  });

  it("have a column of their own for reclaimable_bytes", async () => {
    const { out } = await top("--epochs --by reclaimable_bytes --n 1 --stdin", BENCH);
    expect(out).toContain(
      "rss     reclaimable  label\n1      1    CLOSING  90s  0         0.04MB  0.02MB       leaky\n",
    );
  });

  it("are coloured where colours are on, and only there", async () => {
    const args = ["--epochs", "--by", "refcount", "--stdin"];
    const plain = await runCommand(topCommand, args, { input: DUMP });
    const colored = await runCommand(topCommand, args, { input: DUMP, colors: true });
    expect(colored.out).toContain("\u001b[1m2       ");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with ESC.
    expect(colored.out.replace(/\u001b\[\d+m/g, "").replace(/ +$/gm, "")).toBe(plain.out);
  });

  it("make labels harmless", async () => {
    const epochs = [epochRow({ label: "\u001b[2J\nx", refcount: 1 })];
    const { out } = await top("--epochs --stdin", stringifyStats(documentWith({ epochs })));
    expect(out).toContain("\\u{1b}[2J\\u{a}x");
    expect(out.trimEnd().split("\n")).toHaveLength(3);
  });

  it("are ranked the other way with --asc, ties by id", async () => {
    const { out } = await top("--classes --by bitmap_alloc_cas_retries --asc --n 2 --stdin");
    expect(
      out
        .trimEnd()
        .split("\n")
        .slice(2)
        .map((line) => line.trim().split(/\s+/)[0]),
    ).toEqual(["0", "1"]);
    expect(out).toMatch(/^top classes by bitmap_alloc_cas_retries, smallest first\n/);
  });
});

describe("with --json", () => {
  it("rows hold everything about them, on one line", async () => {
    const { out } = await top("--epochs --by refcount --n 1 --json --stdin");
    expect(out.trimEnd()).not.toContain("\n");
    expect(JSON.parse(out)).toEqual({
      version: 1,
      timestamp_ms: 1770486521361,
      kind: "epochs",
      by: "refcount",
      order: "descending",
      window_sec: null,
      rows: [
        {
          epoch_id: 12,
          epoch_era: 9996,
          state: "CLOSING",
          age_sec: 600,
          refcount: 2,
          rss_bytes: 12288,
          reclaimable_bytes: 0,
          live_objects: 3,
          label: "background-worker-3",
          value: 2,
        },
      ],
    });
    const classes = JSON.parse((await top("--by net_slabs --asc --n 1 --json --stdin")).out);
    expect(classes).toMatchObject({ kind: "classes", by: "net_slabs", order: "ascending" });
    expect(classes.rows[0]).toMatchObject({ class_index: 0, object_size: 64, madvise_calls: 0, value: 0 });
  });
});

describe("rates", () => {
  let service: Service;
  beforeEach(async () => {
    service = await Service.start(heapAt(10));
    service.onAsked = () => {
      service.document = heapAt(9 + service.asked);
    };
  });
  afterEach(() => service.close());
  const live = (line: string) => runCommand(topCommand, [...line.split(" "), "--url", service.url]);

  it("tslab top --classes --window 1s --by slow_path_rate --n 5", async () => {
    const { code, out } = await live("--classes --window 50ms --by slow_path_rate --n 5");
    expect(code).toBe(0);
    expect(service.asked).toBe(2);
    expect(out.trimEnd().split("\n")).toEqual([
      "top classes by slow_path_rate, rates over 1.0s",
      "class  object_size  slow_path_rate  bitmap_alloc_attempts_rate  new_slab_rate  slow_path_hits  new_slab_count  net_slabs  live_bytes  madvise_bytes",
      "    1          128            50/s                       500/s            0/s              50               0          0         0 B            0 B",
      "    0           64             0/s                       500/s            0/s             500               0          0         0 B            0 B",
    ]);
  });

  it("say when there are none", async () => {
    service.onAsked = () => {};
    expect((await live("--window 50ms")).err).toMatch(
      /showed the same document twice within 50ms.*longer --window/,
    );
    service.onAsked = () => {
      service.document = heapAt(9, `heap-${service.asked}`);
    };
    expect(await live("--window 50ms")).toMatchObject({
      code: 2,
      err: expect.stringContaining("restarted within the window"),
    });
    service.onAsked = () => {
      service.document = heapAt(100 - service.asked);
    };
    expect((await live("--window 50ms")).err).toContain("older than the one before");
  });

  it("again and again with --count: a block each, failures in between on stderr", async () => {
    service.onAsked = () => {
      service.document = service.asked === 3 ? undefined : heapAt(9 + service.asked);
    };
    const { code, out, err } = await live("--by slow_path_rate --n 1 --interval 50ms --count 3");
    expect(code).toBe(0);
    expect(out.match(/^top classes by slow_path_rate, rates over/gm)).toHaveLength(2);
    expect(err).toMatch(/^tslab: top: .*503 Restarting; trying again\n$/);
  });

  it("with --json and --count: an object per line", async () => {
    const { out } = await live("--n 1 --interval 50ms --count 3 --json");
    const lines = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ window_sec }) => window_sec)).toEqual([null, 1, 1]);
  });

  it("of a file that is written again; one that is not says nothing new", async () => {
    const path = join(tmpdir(), `tslab-top-rates-${process.pid}.json`);
    let second = 9;
    const writeNext = (): void => {
      writeFileSync(`${path}.new`, stringifyStats(heapAt(second++)));
      renameSync(`${path}.new`, path);
    };
    writeNext();
    try {
      const same = await top(`--by slow_path_rate --window 50ms ${path}`);
      expect(same).toMatchObject({ code: 2, err: expect.stringContaining("showed the same document twice") });
      const writer = setInterval(writeNext, 5);
      const { code, out } = await top(`--by slow_path_rate --window 100ms ${path}`).finally(() =>
        clearInterval(writer),
      );
      expect(code).toBe(0);
      expect(out).toMatch(/^top classes by slow_path_rate, rates over/);
    } finally {
      await rm(path);
    }
  });

  it("cover --window where it is longer than the interval", async () => {
    const { out } = await live("--n 1 --window 3s --interval 50ms --count 5 --json");
    const lines = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ window_sec }) => window_sec)).toEqual([1, 2, 3, 3, 3]);
  });
});

describe("refused", () => {
  it.each([
    [
      "--by slow_path_rate --stdin",
      /^--by slow_path_rate takes two looks.*standard input.*--exec 'COMMAND'.*--url/,
    ],
    ["--window 1s --stdin", /^--window takes two looks at the heap, and standard input shows it once/],
    ["--interval 1s --stdin", /^--interval needs a source that can be read again/],
    ["--count 2 --stdin", /^--count needs a source that can be read again/],
    ["--classes --epochs --stdin", /^--classes and --epochs both say what to rank; leave one of them out/],
    ["--by bogus --stdin", /"bogus" is no metric of classes; known: slow_path_hits/],
    ["--epochs --by slow_path_rate --stdin", /slow_path_rate is a metric of classes; use --classes/],
    ["--n 0 --stdin", /--n: got "0"; expected a whole number from 1 to 1000/],
    ["--interval 1ms --stdin", /--interval: got "1ms"; expected a time from 50ms/],
  ])("%s", async (line, message) => {
    const { code, out, err } = await top(line);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toMatch(message);
  });

  it("a file that is not there, and one that is none of ours", async () => {
    const path = join(tmpdir(), `tslab-top-${process.pid}.json`);
    expect(await top(path)).toMatchObject({ code: 2, err: expect.stringContaining("no such file") });
    await writeFile(path, "{}");
    try {
      expect(await top(path)).toMatchObject({ code: 2, err: expect.stringContaining("schema_version") });
    } finally {
      await rm(path);
    }
  });
});
