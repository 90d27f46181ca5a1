/** Which backend: the one asked for, or the first that works. */
import {
  describeValue,
  InvalidTypeError,
  InvalidValueError,
  PageReleaserUnavailableError,
} from "../allocator/index.js";
import { type Advice, adviceFor } from "./advice.js";
import { openBun } from "./bun.js";
import { openDeno } from "./deno.js";
import { type Host, inWorkerThread, type Runtime, runtimeOf, thisHost } from "./host.js";
import { openKoffi } from "./koffi.js";
import type { Opened } from "./libc.js";
import { openNodeFfi } from "./node-ffi.js";
import { libcReleaser, noReleaser } from "./releaser.js";
import type { PageReleaseBackend, SystemPageReleaser } from "./types.js";

type LibcBackend = Exclude<PageReleaseBackend, "none">;

/** How to open each, and the runtimes it is for. */
const BACKENDS: Readonly<
  Record<
    LibcBackend,
    {
      readonly runtimes: readonly Runtime["name"][];
      readonly open: (host: Host, runtime: Runtime, advice: Advice) => Opened;
    }
  >
> = {
  "node:ffi": { runtimes: ["node"], open: openNodeFfi },
  koffi: { runtimes: ["node", "bun"], open: openKoffi },
  deno: { runtimes: ["deno"], open: openDeno },
  bun: { runtimes: ["bun"], open: openBun },
};

/** What `autoPageReleaser` tries, in this order. */
const ORDER: Readonly<Record<Runtime["name"], readonly LibcBackend[]>> = {
  node: ["node:ffi", "koffi"],
  deno: ["deno"],
  bun: ["bun"],
  other: [],
};

/**
 * koffi's binding aborts the process where a worker is terminated in the few milliseconds it takes to load. Threads that
 * may be terminated at any instruction are what heaps are for, so it is loaded there only on request.
 */
const UNSAFE_IN_WORKERS =
  "koffi is not loaded in a worker thread unasked (terminating the worker just then would end the process; the main thread's releaser serves the whole heap)";

const KNOWN: readonly string[] = [...Object.keys(BACKENDS), "none"];

/** The one of this thread: modules are loaded once per thread. */
let found: SystemPageReleaser | undefined;

/**
 * A releaser on what this runtime offers: Deno's and Bun's own foreign functions; on Node `node:ffi` where it exists
 * (Node 26), else the package koffi where it is installed. Where nothing can be had it is `"none"`, with which a heap does
 * as if it had no releaser, and `reason` says why.
 *
 * Loads nothing but the C library, which is in the process already, and koffi where the user installed it. Never throws,
 * prompts or waits. The same object each time on one thread; `"none"` is looked for again, since a permission may have been
 * granted. Every thread calls it for itself.
 *
 * Worker threads of Node do not load koffi this way: a worker that is terminated in that moment ends the process. Let the
 * main thread attach with a releaser, or use {@link createPageReleaser} where no worker is terminated while it starts.
 *
 * @example
 * ```ts
 * const pageReleaser = autoPageReleaser();
 * if (!pageReleaser.enabled) console.warn(pageReleaser.reason);
 * const heap = SlabHeap.create({ pageReleaser });
 * const worker = new Worker(url, { workerData: heap.share() });
 * // in the worker: SlabHeap.attach(workerData, { pageReleaser: autoPageReleaser() }); "none" is fine there
 * ```
 */
export function autoPageReleaser(): SystemPageReleaser {
  if (found !== undefined) return found;
  const releaser = chooseReleaser(thisHost);
  if (releaser.enabled) found = releaser;
  return releaser;
}

/**
 * A releaser on one backend, or none of another: for those who know which they want. `"none"` always works and releases
 * nothing. koffi works on Bun too. A new object each time.
 *
 * Throws `PageReleaserUnavailableError`, whose message says why, when it cannot be had here; `InvalidTypeError` or
 * `InvalidValueError` when it is no name of a backend.
 *
 * @example
 * ```ts
 * // Node 26 has node:ffi, which prints a warning that it is experimental; koffi does not. In a worker: only
 * // where nobody terminates it while it starts.
 * const heap = SlabHeap.create({ pageReleaser: createPageReleaser("koffi") });
 * ```
 */
export function createPageReleaser(backend: PageReleaseBackend): SystemPageReleaser {
  return createOn(thisHost, backend);
}

/** What {@link autoPageReleaser} finds on `host`. */
export function chooseReleaser(host: Host): SystemPageReleaser {
  const failures: string[] = [];
  try {
    const runtime = runtimeOf(host.globals);
    if (ORDER[runtime.name].length === 0) {
      return noReleaser(
        `No pages are released, since ${runtime.title} has no way to call the system's madvise.`,
      );
    }
    const advice = adviceFor(runtime.platform);
    if (typeof advice === "string") return noReleaser(sentence("No pages are released", [advice]));
    for (const backend of ORDER[runtime.name]) {
      if (backend === "koffi" && inWorkerThread(host.globals)) {
        failures.push(UNSAFE_IN_WORKERS);
        continue;
      }
      const opened = BACKENDS[backend].open(host, runtime, advice);
      if (!("why" in opened)) {
        const reason = sentence(`Pages are released through ${opened.title}`, failures);
        return libcReleaser(backend, reason, opened, advice);
      }
      failures.push(opened.why);
    }
  } catch (error) {
    // Globals that are not what they seem, such as a half-made `process` in a page.
    failures.push(`the runtime was not understood (${String(error)})`);
  }
  return noReleaser(sentence("No pages are released", failures));
}

/** What {@link createPageReleaser} finds on `host`. */
export function createOn(host: Host, backend: PageReleaseBackend): SystemPageReleaser {
  if (typeof backend !== "string") {
    throw new InvalidTypeError(
      `createPageReleaser: backend must be a string; got ${describeValue(backend)}.`,
    );
  }
  if (!KNOWN.includes(backend)) {
    throw new InvalidValueError(
      `createPageReleaser: backend must be one of ${KNOWN.join(", ")}; got ${describeValue(backend)}.`,
    );
  }
  if (backend === "none") return noReleaser("No pages are released, as was asked for.");
  const runtime = runtimeOf(host.globals);
  const advice = adviceFor(runtime.platform);
  const { runtimes, open } = BACKENDS[backend];
  if (!runtimes.includes(runtime.name)) throw unavailable(backend, `it is not for ${runtime.title}`);
  if (typeof advice === "string") throw unavailable(backend, advice);
  const opened = open(host, runtime, advice);
  if ("why" in opened) throw unavailable(backend, opened.why);
  return libcReleaser(
    backend,
    `Pages are released through ${opened.title}, as was asked for.`,
    opened,
    advice,
  );
}

const sentence = (what: string, why: readonly string[]): string =>
  why.length === 0 ? `${what}.` : `${what}, since ${why.join(", and ")}.`;

const unavailable = (backend: string, why: string): PageReleaserUnavailableError =>
  new PageReleaserUnavailableError(`createPageReleaser: no releaser on ${backend}, since ${why}.`);
