/**
 * Defends: a recorded trace is replayed event by event in every worker, and a file that is no
 * trace is refused before anything runs.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { readTrace } from "../../../src/cli/workload/trace-file.js";
import { runCli, runWorkload } from "../run-cli.js";

const folder = mkdtempSync(join(tmpdir(), "tslab-trace-"));
afterAll(() => rmSync(folder, { recursive: true }));

function traceFile(name: string, events: readonly (readonly [size: number, slot: number])[]): string {
  const bytes = Buffer.alloc(events.length * 8);
  events.forEach(([size, slot], i) => {
    bytes.writeInt32LE(size, i * 8);
    bytes.writeInt32LE(slot, i * 8 + 4);
  });
  return rawFile(name, gzipSync(bytes));
}

function rawFile(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** 3,000 objects from 1 byte to 300 KiB, most freed out of order, the last few never. */
function mixedTrace(): [number, number][] {
  const sizes = [1, 3, 7, 8, 15, 16, 33, 64, 100, 127, 500, 1025, 4096, 40_000, 300_000];
  const events: [number, number][] = [];
  for (let i = 0; i < 3000; i++) {
    const slot = i % 97;
    if (i >= 97) events.push([0, slot]);
    events.push([sizes[(i * 7) % sizes.length] as number, slot]);
  }
  return events;
}

describe("tslab workload --trace", () => {
  it("replays in every worker as often as asked", { timeout: 30_000 }, async () => {
    const path = traceFile("mixed.trace.gz", mixedTrace());
    const { code, report } = await runWorkload(["--trace", path, "--threads", "2", "--repeat", "3"]);
    expect(report.closing.problems).toEqual([]);
    expect(code).toBe(0);
    expect(report.ended_by).toBe("repeat");
    expect(report.parameters.trace).toMatchObject({ path, events: 5903, peak_objects: 97 });
    expect(report.throughput).toMatchObject({ repeats: 6, allocs: 18_000, frees: 18_000 });
    expect(report.throughput.foreign_frees).toBeGreaterThan(0);
    expect(report.verify.live_objects).toBe(0);
  });

  it("repeats until the duration is over, with workers killed in between", { timeout: 30_000 }, async () => {
    const path = traceFile("killed.trace.gz", mixedTrace());
    const { code, report } = await runWorkload([
      "--trace",
      path,
      "--duration",
      "2",
      "--kill-rate",
      "5",
      "--threads",
      "2",
    ]);
    expect(report.closing.problems).toEqual([]);
    expect(report.workers.errors).toEqual([]);
    expect(code).toBe(0);
    expect(report.ended_by).toBe("duration");
    expect(report.throughput.allocs).toBeGreaterThan(0);
  });

  it("summarises a trace while it checks it", () => {
    const trace = readTrace(
      traceFile("small.trace.gz", [
        [10, 0],
        [20, 1],
        [0, 0],
        [5, 0],
      ]),
    );
    expect(trace).toMatchObject({ slots: 2, largest: 20, peakBytes: 30, peakObjects: 2 });
    expect([...trace.events]).toEqual([10, 0, 20, 1, 0, 0, 5, 0]);
  });

  const whole = gzipSync(Buffer.alloc(800, 1));
  it.each([
    ["no such file", () => join(folder, "missing.gz"), /no such file/],
    ["a folder", () => folder, /cannot be read \(EISDIR\)/],
    ["not gzip", () => rawFile("text.gz", Buffer.from("hello")), /not a complete gzip file/],
    [
      "truncated gzip",
      () => rawFile("cut.gz", whole.subarray(0, whole.length - 9)),
      /not a complete gzip file/,
    ],
    ["no events", () => rawFile("empty.gz", gzipSync(Buffer.alloc(0))), /holds 0 bytes/],
    ["half an event", () => rawFile("half.gz", gzipSync(Buffer.alloc(12))), /holds 12 bytes/],
    ["a negative size", () => traceFile("negative.gz", [[-4, 0]]), /event 0 \[-4, 0\]: negative size/],
    ["a wild slot", () => traceFile("wild.gz", [[8, 5]]), /event 0 \[8, 5\]: slot outside 0 to 0/],
    [
      "a free of nothing",
      () =>
        traceFile("free.gz", [
          [8, 0],
          [0, 0],
          [0, 0],
        ]),
      /event 2 .* empty/,
    ],
    [
      "a slot used twice",
      () =>
        traceFile("twice.gz", [
          [8, 0],
          [8, 0],
        ]),
      /event 1 .* in use/,
    ],
  ])("refuses %s", async (_, path, message) => {
    const { code, stdout, stderr } = await runCli(["workload", "--trace", path()]);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^tslab: workload: --trace: [^\n]*\n$/);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });
});
