/**
 * Defends: without a terminal `watch` prints one aligned line, or one JSON object, per interval and no control codes; a
 * source that fails is asked again; exit codes.
 * Method: the command itself with made-up streams, against a service whose documents the test decides.
 */
import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { watchCommand } from "../../../src/cli/watch/command.js";
import { stringifyStats } from "../../../src/stats/index.js";
import { runCommand } from "../screen/streams.js";
import { heapAt, Service } from "./service.js";

let service: Service;
beforeEach(async () => {
  service = await Service.start(heapAt(1));
});
afterEach(() => service.close());

const watch = (...args: string[]) =>
  runCommand(watchCommand, ["--url", service.url, "--interval", "50ms", ...args]);

describe("tslab watch without a terminal", () => {
  it("prints a line per interval, aligned below its titles", async () => {
    let second = 1;
    service.onAsked = () => {
      service.document = heapAt(second++);
    };
    const { code, out, err } = await watch("--count", "3");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toBe(
      [
        "time       allocs/s    frees/s     slow/s   slow%      slabs   committed        live         rss   closes/s  yield%  released/s      leaks",
        "00:00:02      1,000      1,000         50    5.00         22    1.38 MiB   62.50 KiB     100 MiB          0    80.0         0 B          1",
        "00:00:03      1,000      1,000         50    5.00         23    1.44 MiB   62.50 KiB     100 MiB          0    80.0         0 B          1",
        "00:00:04      1,000      1,000         50    5.00         24    1.50 MiB   62.50 KiB     100 MiB          0    80.0         0 B          1",
        "",
      ].join("\n"),
    );
  });

  it("says a restart in its line's place", async () => {
    service.onAsked = () => {
      service.document = service.asked === 1 ? heapAt(1) : heapAt(service.asked, "heap-2");
    };
    const { out } = await watch("--count", "2");
    const lines = out.trimEnd().split("\n");
    expect(lines[0]).toBe("# restarted: heap.id differs; counted anew from here");
    expect(lines[2]).toMatch(/^00:00:02 {10}- {10}- /);
    expect(lines[3]).toMatch(/^00:00:03 {6}1,000 /);
    expect(lines).toHaveLength(4);
  });

  it("prints one JSON object per line with --json", async () => {
    service.onAsked = () => {
      service.document = heapAt(service.asked);
      if (service.asked === 2) service.document = undefined;
    };
    const { code, out, err } = await watch("--count", "2", "--json");
    expect(code).toBe(0);
    expect(err).toMatch(/^tslab: watch: http:\S+ the server answered 503 Restarting; trying again\n$/);
    const [failed, good, ...rest] = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(rest).toEqual([]);
    expect(failed).toEqual({
      version: 1,
      timestamp_ms: expect.any(Number),
      error: expect.stringContaining("503"),
    });
    expect(good).toMatchObject({
      version: 1,
      heap_id: "heap-1",
      pid: 4242,
      seconds: 2,
      restarted: false,
      per_sec: { allocs: 1000, slow_path: 50, remote_frees: 10 },
      delta: { allocs: 2000 },
      total: { allocs: 3000 },
      gauges: { net_slabs: 23, slow_path_pct: 5, leaks: 1 },
      change: { net_slabs: 2 },
    });
  });

  it("goes on when the source fails, but ends with 1 when it does so at last", async () => {
    service.onAsked = () => {
      if (service.asked > 1) service.document = undefined;
    };
    const { code, out, err } = await watch("--count", "2");
    expect(code).toBe(1);
    expect(out).toBe("");
    expect(err.match(/trying again/g)).toHaveLength(2);
  });

  it("takes a document that is older than the last one for a failure", async () => {
    service.onAsked = () => {
      service.document = heapAt(service.asked === 2 ? 1 : 3 + service.asked);
    };
    const { code, out, err } = await watch("--count", "2");
    expect(code).toBe(0);
    expect(err).toContain("the document is older than the one before");
    expect(out.trimEnd().split("\n")).toHaveLength(2);
  });

  it("fails at once when the first look does", async () => {
    service.document = undefined;
    expect(await watch()).toMatchObject({ code: 2, out: "", err: expect.stringContaining("503") });
  });

  it("refuses standard input, and says what to use", async () => {
    const outcome = await runCommand(watchCommand, ["--stdin"], { input: "{}" });
    expect(outcome).toMatchObject({ code: 2, out: "" });
    expect(outcome.err).toMatch(/watch needs a source that can be read again.*--exec.*--url/);
  });

  it("has no time of day where the document's clock is none", async () => {
    service.onAsked = () => {
      const timestamp_ns = service.asked === 1 ? 0n : 2n ** 63n * 10_000n + BigInt(service.asked);
      service.document = { ...heapAt(service.asked), timestamp_ns };
    };
    const { code, out } = await watch("--count", "2");
    expect(code).toBe(0);
    const lines = out.trimEnd().split("\n");
    expect(lines.slice(1).map((line) => line.slice(0, 10))).toEqual(["-         ", "-         "]);
  });

  it("watches a file that is written again, and says when it was not", async () => {
    const path = join(tmpdir(), `tslab-watch-${process.pid}.json`);
    await writeFile(path, stringifyStats(heapAt(1)));
    try {
      const { out } = await runCommand(watchCommand, [path, "--interval", "50ms", "--count", "1"]);
      expect(out.trimEnd().split("\n")[1]).toMatch(/^00:00:01 {10}- /);
    } finally {
      await rm(path);
    }
  });
});
