/** A file for node-exporter's textfile collector. */
import { describeValue, InvalidTypeError, InvalidValueError } from "../allocator/index.js";
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
 * Rejects with what {@link prometheusText} throws, with {@link InvalidValueError} where `path` is a link, a device or
 * the like, or with the file system's error; then nothing is left behind and what was there is
 * as it was.
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
  await refuseOtherThanFile(path);
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

/**
 * Where something other than a file has the name, renaming over it would take it away: a device from the whole machine, a
 * link (`/dev/stdout` is one) from whoever made it. Following links would write where somebody else wants it.
 */
async function refuseOtherThanFile(path: string): Promise<void> {
  const { lstat } = await import("node:fs/promises");
  const found = await lstat(path).catch((error: { code?: string }) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  // A folder's name is refused by the rename itself.
  if (found === undefined || found.isFile() || found.isDirectory()) return;
  const what = found.isSymbolicLink() ? "a link" : "a device, pipe or socket";
  throw new InvalidValueError(
    `writePrometheusTextfile: path must be a file, or nothing yet; ${JSON.stringify(path)} is ${what}.`,
  );
}
