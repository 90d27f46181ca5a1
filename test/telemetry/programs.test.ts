/**
 * Defends: the programs our metrics are for take them. promtool finds nothing wrong but two attested names; node-exporter shows our
 * file's series as its own; jq answers the queries people already have for the C allocator's documents from ours.
 * Method: the real programs (installed in CI, skipped with a line elsewhere), on a busy heap of several epochs and on the C
 * allocator's documents; what each says is compared with the document.
 */
import { spawn, spawnSync } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startSampling } from "../../src/allocator/index.js";
import { SlabHeap } from "../../src/index.js";
import { readStats, StatsReader, stringifyStats } from "../../src/stats/index.js";
import { prometheusText, writePrometheusTextfile } from "../../src/telemetry/index.js";
import { findJq, findNodeExporter, findPromtool, unlessMissing } from "../programs.js";
import { benchFile, statsDump } from "../stats/document/fixtures.js";
import { parseExposition } from "./exposition.js";

const promtool = findPromtool();
const nodeExporter = findNodeExporter();
const jq = findJq();

/** Several epochs with labels that need escaping, large objects, failures, samples. */
function busyHeap(): SlabHeap {
  const heap = SlabHeap.create({ capacity: 4 << 20 });
  const sampling = startSampling(heap);
  for (let i = 0; i < 20; i++) {
    const domain = heap.openDomain({ label: `GET "/users\\${i % 3}"\n`, autoClose: i % 4 !== 0 });
    for (let n = 0; n < 200; n++) {
      const handle = domain.alloc(1 + ((n * 37) % 5000));
      if (n % 3 === 0) heap.free(handle);
    }
    if (i % 5 !== 0) domain.exit();
    heap.advanceEpoch();
  }
  heap.free(12345 as never);
  while (heap.alloc(30_000) !== 0);
  sampling.stop();
  return heap;
}

let folder = "";
let heap: SlabHeap;
let reader: StatsReader;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tslab-metrics-"));
  heap = busyHeap();
  reader = StatsReader.open(heap);
});
afterAll(async () => {
  heap.detach();
  await rm(folder, { recursive: true, force: true });
});

describe("promtool", () => {
  /** What it objects to, and its exit code: 3 for findings. */
  function check(text: string): { code: number | null; findings: string[] } {
    const { status, stderr, stdout } = spawnSync(promtool.command as string, ["check", "metrics"], {
      input: text,
      encoding: "utf8",
    });
    return { code: status, findings: `${stdout}${stderr}`.split("\n").filter((line) => line !== "") };
  }
  const COUNTS = ["active_epoch_count", "closing_epoch_count"].map(
    (name) => `temporal_slab_${name} non-histogram and non-summary metrics should not have "_count" suffix`,
  );

  test.skipIf(promtool.command === undefined)(
    unlessMissing("objects to two attested names, nothing else", promtool),
    () => {
      const options = { contentionByLabel: true, lockTimes: true };
      for (const source of [reader, readStats(statsDump()), readStats(benchFile())]) {
        for (const eraLabel of [false, true]) {
          expect(check(prometheusText(source, { ...options, eraLabel }))).toEqual({
            code: 3,
            findings: COUNTS,
          });
        }
      }
    },
  );

  test.skipIf(promtool.command === undefined)(unlessMissing("would object to others", promtool), () => {
    const text = prometheusText(reader);
    expect(check(text.replaceAll("_age_seconds", "_age_ms")).findings).not.toEqual(COUNTS);
    expect(check(text.replace(" gauge\n", " gouge\n")).code).not.toBe(3);
  });
});

describe("writing a file", () => {
  test("replaces what was there, readable for everybody, and leaves nothing else", async () => {
    const inside = await mkdtemp(join(folder, "file-"));
    const path = join(inside, "heap.prom");
    const mask = process.umask(0o077);
    try {
      await writeFile(path, "old");
      await chmod(path, 0o600);
      await writePrometheusTextfile(path, reader);
    } finally {
      process.umask(mask);
    }
    expect((await stat(path)).mode & 0o777).toBe(0o644);
    expect(parseExposition(await readFile(path, "utf8")).length).toBeGreaterThan(90);
    expect(await readdir(inside)).toEqual(["heap.prom"]);
  });

  test("many at once end with one whole file", async () => {
    const inside = await mkdtemp(join(folder, "many-"));
    const path = join(inside, "heap.prom");
    const document = reader.snapshot();
    const prefixes = Array.from({ length: 8 }, (_, i) => `writer${i}_`);
    await Promise.all(prefixes.map((prefix) => writePrometheusTextfile(path, document, { prefix })));
    const text = await readFile(path, "utf8");
    expect(prefixes.map((prefix) => prometheusText(document, { prefix }))).toContain(text);
    expect(await readdir(inside)).toEqual(["heap.prom"]);
  });

  test("links, devices and pipes are refused and stay what they are", async () => {
    const inside = await mkdtemp(join(folder, "other-"));
    const [target, link, pipe] = ["target", "heap.prom", "pipe"].map((name) => join(inside, name)) as [
      string,
      string,
      string,
    ];
    await writeFile(target, "mine");
    await symlink(target, link);
    spawnSync("mkfifo", [pipe]);
    await expect(writePrometheusTextfile(link, reader)).rejects.toThrow(/heap\.prom" is a link/);
    await expect(writePrometheusTextfile(pipe, reader)).rejects.toThrow(/pipe" is a device, pipe or socket/);
    expect(await readFile(target, "utf8")).toBe("mine");
    expect((await readdir(inside)).sort()).toEqual(["heap.prom", "pipe", "target"]);
    expect((await stat(pipe)).isFIFO()).toBe(true);
  });

  test("failing leaves everything as it was", async () => {
    const inside = await mkdtemp(join(folder, "fails-"));
    const path = join(inside, "heap.prom");
    await writePrometheusTextfile(path, reader);
    const before = await readFile(path, "utf8");
    await expect(writePrometheusTextfile(path, reader, { prefix: "-" })).rejects.toThrow(/"prefix"/);
    await expect(writePrometheusTextfile(path, {} as never)).rejects.toThrow(/stats document/);
    await expect(writePrometheusTextfile("", reader)).rejects.toThrow(/name of a file; got an empty one/);
    await expect(writePrometheusTextfile(5 as never, reader)).rejects.toThrow(/name of a file/);
    await expect(writePrometheusTextfile(join(inside, "no", "x.prom"), reader)).rejects.toThrow(/ENOENT/);
    // Renaming onto a folder fails after the text was written.
    await expect(writePrometheusTextfile(inside, reader)).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST|EPERM/);
    expect(await readFile(path, "utf8")).toBe(before);
    expect(await readdir(inside)).toEqual(["heap.prom"]);
    expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

test.skipIf(nodeExporter.command === undefined)(
  unlessMissing("node-exporter shows the series of our file, and no half-written one", nodeExporter),
  async () => {
    const inside = await mkdtemp(join(folder, "exporter-"));
    const document = reader.snapshot();
    await writePrometheusTextfile(join(inside, "heap.prom"), document);
    // What a killed writer leaves behind.
    await writeFile(join(inside, "heap.prom.1234.tmp"), "temporal_slab_half_written 1\ntemporal_slab_");
    const port = await freePort();
    const exporter = spawn(
      nodeExporter.command as string,
      [
        "--collector.disable-defaults",
        "--collector.textfile",
        `--collector.textfile.directory=${inside}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: "ignore" },
    );
    try {
      const text = await fetchText(`http://127.0.0.1:${port}/metrics`);
      expect(text).toContain("node_textfile_scrape_error 0");
      const theirs = new Map(
        text.split("\n").flatMap((line) => {
          const parsed = /^(temporal_slab_\S+?)(?:\{(.*)\})? (\S+)$/.exec(line);
          return parsed === null ? [] : [[seriesKey(parsed[1], parsed[2]), Number(parsed[3])] as const];
        }),
      );
      let compared = 0;
      for (const line of prometheusText(document).split("\n")) {
        const parsed = /^(temporal_slab_\S+?)(?:\{(.*)\})? (\S+)$/.exec(line);
        // Go writes the bounds of histograms in its own way.
        if (parsed === null || line.includes("_bucket{")) continue;
        expect(theirs.get(seriesKey(parsed[1], parsed[2])), line).toBe(Number(parsed[3]));
        compared++;
      }
      expect(compared).toBeGreaterThan(500);
      expect(text).toContain('temporal_slab_epoch_close_duration_seconds_bucket{le="+Inf"}');
      expect(text).not.toContain("half_written");
    } finally {
      const ended = new Promise((resolve) => exporter.once("exit", resolve));
      exporter.kill();
      await ended;
    }
  },
  60_000,
);

/** It sorts the labels. */
const seriesKey = (name = "", labels = ""): string =>
  name +
  [...labels.matchAll(/[a-z_]+="(?:[^"\\]|\\.)*"/g)]
    .map(([label]) => label)
    .sort()
    .join();

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function fetchText(url: string): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      return await (await fetch(url)).text();
    } catch (error) {
      if (tries > 100) throw error;
      await delay(100);
    }
  }
}

describe("jq", () => {
  function query(filter: string, input: string): unknown[] {
    const { status, stdout, stderr } = spawnSync(jq.command as string, ["-c", filter], {
      input,
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([0, ""]);
    return stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  }

  test.skipIf(jq.command === undefined)(unlessMissing("answers from our documents", jq), () => {
    const document = reader.snapshot();
    const json = stringifyStats(document);
    const entered = document.epochs.filter((epoch) => epoch.refcount > 0);
    expect(entered.length).toBeGreaterThan(0);
    const found = query(".epochs[] | select(.refcount > 0)", json) as { epoch_id: number; label: string }[];
    expect(found.map(({ epoch_id, label }) => [epoch_id, label])).toEqual(
      entered.map(({ epoch_id, label }) => [epoch_id, label]),
    );
    expect(query("[.classes[].slow_path_hits] | add", json)).toEqual([document.total_slow_path_hits]);
    expect(query(".classes | max_by(.bitmap_alloc_attempts) | .object_size", json)).toHaveLength(1);
    expect(query(".heap.live_objects, .workers[0].seat", json)).toEqual([document.heap.live_objects, 1]);
  });
});
