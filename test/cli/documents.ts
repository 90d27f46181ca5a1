/** A folder of stats documents of every kind, as files. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jsonText } from "../../src/cli/json.js";
import { benchFile, ourDocument, statsDump } from "../stats/document/fixtures.js";
import { MAIN } from "./run-cli.js";

type Row = Record<string, unknown>;

export interface DocumentFolder {
  readonly path: string;
  /** Path of a file in it. */
  file(name: string): string;
  /** Writes a file into it; returns its path. */
  write(name: string, text: string): string;
  remove(): void;
}

/**
 * `stats.json` is one of ours; `before.json` and `after.json` are of one heap, ten seconds apart, with twice the rate of
 * slow paths in between; `c-dump.json` and `c-bench.json` are the two shapes of the C allocator's.
 */
export function documentFolder(): DocumentFolder {
  const path = mkdtempSync(join(tmpdir(), "tslab-test-"));
  const file = (name: string): string => join(path, name);
  const write = (name: string, text: string): string => {
    writeFileSync(file(name), text);
    return file(name);
  };
  const ours = ourDocument();
  write("stats.json", jsonText(ours));
  write("before.json", jsonText(ours));
  write("after.json", jsonText(later(ours as unknown as Row)));
  write("c-dump.json", jsonText(statsDump()));
  write("c-bench.json", jsonText(benchFile()));
  return { path, file, write, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/**
 * Puts `tslab` and `stats_dump` into the folder, for shells with it in their PATH: the program as built, and one that prints
 * `document` with the flags of the C allocator's program.
 */
export function installPrograms(folder: DocumentFolder, document: string): void {
  const script = (name: string, lines: readonly string[]): void =>
    chmodSync(folder.write(name, ["#!/bin/sh", ...lines, ""].join("\n")), 0o755);
  script("tslab", [`exec "${process.execPath}" "${MAIN}" "$@"`]);
  script("stats_dump", [
    "json=1 text=1",
    'for flag in "$@"; do case $flag in',
    "  --json) json=1 ;; --no-json) json=0 ;; --text) text=1 ;; --no-text) text=0 ;; *) exit 1 ;;",
    "esac; done",
    'if [ $text = 1 ]; then echo "text of stats_dump" >&2; fi',
    `if [ $json = 1 ]; then cat "${folder.file(document)}"; fi`,
  ]);
}

/** The same heap ten seconds later: as many allocations again, three times as many slow paths. */
export function later(document: Row, more: { slowPaths?: number; madviseFailures?: number } = {}): Row {
  const { slowPaths = 2 * Number(document.total_slow_path_hits), madviseFailures = 0 } = more;
  const heap = document.heap as Row;
  const classes = document.classes as Row[];
  return {
    ...document,
    timestamp_ns: (document.timestamp_ns as bigint) + 10_000_000_000n,
    total_slow_path_hits: Number(document.total_slow_path_hits) + slowPaths,
    total_madvise_failures: Number(document.total_madvise_failures) + madviseFailures,
    heap: { ...heap, alloc_count: 2 * Number(heap.alloc_count) },
    classes: classes.map((row) => ({
      ...row,
      slow_path_hits: Number(row.slow_path_hits) + (row.class_index === 2 ? slowPaths : 0),
      bitmap_alloc_attempts: 2 * Number(row.bitmap_alloc_attempts),
    })),
  };
}
