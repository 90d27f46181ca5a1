/** A file for node-exporter's textfile collector. */
import { describeValue, InvalidTypeError } from "../allocator/index.js";
import type { StatsSource } from "../stats/index.js";
import type { PrometheusOptions } from "./options.js";
import { prometheusText } from "./text.js";

/** Readable by the exporter, which runs as somebody else. */
const MODE = 0o644;

/**
 * Writes all metrics to a file, at once or not at all: whoever reads it meanwhile finds the old contents or the new ones. The
 * text is first written beside it (`<path>.<random>.tmp`, which collectors of `*.prom` pass over), then renamed. Replaces
 * `path`; mode 0644. Needs `node:fs`: Node, Deno, Bun.
 *
 * Rejects with what {@link prometheusText} throws, before anything is written, or with the file system's error; then nothing
 * is left behind and an existing file is as it was.
 *
 * @example
 * ```ts
 * setInterval(() => writePrometheusTextfile("/var/lib/prometheus/node-exporter/heap.prom", reader), 15_000);
 * ```
 */
export async function writePrometheusTextfile(
  path: string,
  source: StatsSource,
  options: PrometheusOptions = {},
): Promise<void> {
  if (typeof path !== "string" || path === "") {
    const given = path === "" ? "an empty one" : describeValue(path);
    throw new InvalidTypeError(`writePrometheusTextfile: path must be the name of a file; got ${given}.`);
  }
  const text = prometheusText(source, options);
  const { open, rename, rm } = await import("node:fs/promises");
  // Another process, or another call of this one, may be writing the same file.
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  // "wx": what is there under this name already is not ours, a link least of all.
  const file = await open(temporary, "wx", MODE);
  try {
    try {
      await file.writeFile(text);
      // The process's umask may have taken bits away.
      await file.chmod(MODE);
      // Before the rename: after a crash the name must not stand for an empty file.
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
