/**
 * What the system says about memory, on Node, Deno and Bun alike: the resident set of the process, and how many pages of
 * one buffer are resident. `null` where the system does not say.
 */
import { openSync, readFileSync, readSync } from "node:fs";
import { createRequire } from "node:module";

const PAGE = 4096;
/** /proc/self/pagemap holds 8 bytes per page of the address space; the highest bit says whether the page is present. */
const ENTRY = 8;
const entries = new Uint8Array(8192 * ENTRY);
let pagemap;

/** Resident set of the process in bytes, as the system counts it. */
export function processRss() {
  try {
    return Number(readFileSync("/proc/self/statm", "utf8").split(" ")[1]) * PAGE;
  } catch {
    return process.memoryUsage().rss;
  }
}

/** Can pages of a heap be counted here? */
export async function countsPages() {
  const buffer = new SharedArrayBuffer(16 * PAGE);
  const resident = await residentCounter(buffer);
  return resident(0, buffer.byteLength) !== null;
}

/**
 * A function that counts resident bytes of `buffer` between two offsets, page by page: exact, whatever else lies in the
 * same mapping (smaps counts whole mappings). A page counts with the range in which it begins.
 */
async function residentCounter(buffer) {
  const address = await addressOf(buffer);
  if (address === null || process.platform !== "linux") return () => null;
  try {
    pagemap ??= openSync("/proc/self/pagemap", "r");
  } catch {
    return () => null;
  }
  return (from, to) => {
    const end = Math.ceil((address + to) / PAGE);
    let resident = 0;
    for (let page = Math.ceil((address + from) / PAGE); page < end; ) {
      const bytes = Math.min(entries.length, (end - page) * ENTRY);
      const read = readSync(pagemap, entries, 0, bytes, page * ENTRY);
      if (read === 0) throw new Error("/proc/self/pagemap ended early");
      for (let i = ENTRY - 1; i < read; i += ENTRY) resident += entries[i] >> 7;
      page += read / ENTRY;
    }
    return resident * PAGE;
  };
}

/**
 * Resident bytes of a heap: of its payload, and of the metadata before it, whose pages are the heap's for good once it has
 * touched them.
 */
export async function heapCounter({ buffer, capacity }) {
  const resident = await residentCounter(buffer);
  const payloadOffset = buffer.byteLength - capacity;
  return {
    payload: () => resident(payloadOffset, buffer.byteLength),
    metadata: () => resident(0, payloadOffset),
  };
}

/** Address of a buffer's first byte through the runtime's foreign functions; null without them. */
async function addressOf(buffer) {
  const view = new Uint8Array(buffer);
  try {
    if (globalThis.Deno !== undefined) return Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(view)));
    if (globalThis.Bun !== undefined) return (await import("bun:ffi")).ptr(view);
    return Number(createRequire(import.meta.url)("koffi").address(view));
  } catch {
    return null;
  }
}

/** What the system does about huge pages: the setting in brackets is in force. They make pages go back 2 MiB at a time. */
export function hugePages() {
  const setting = (name) => {
    try {
      const text = readFileSync(`/sys/kernel/mm/transparent_hugepage/${name}`, "utf8");
      return /\[(.*)\]/.exec(text)?.[1] ?? text.trim();
    } catch {
      return "unknown";
    }
  };
  return { enabled: setting("enabled"), shmem: setting("shmem_enabled") };
}

/** A releaser that does as `inner` and keeps count: calls, bytes, time within them, the longest. */
export function metered(inner) {
  const meter = { calls: 0, bytes: 0, failures: 0, ms: 0, longestMs: 0 };
  const releaser = {
    pageBytes: inner.pageBytes,
    enabled: inner.enabled,
    release(buffer, byteOffset, byteLength) {
      const from = performance.now();
      const bytes = inner.release(buffer, byteOffset, byteLength);
      const ms = performance.now() - from;
      meter.calls++;
      meter.ms += ms;
      meter.longestMs = Math.max(meter.longestMs, ms);
      if (bytes < 0) meter.failures++;
      else meter.bytes += bytes;
      return bytes;
    },
    ...(inner.reuse === undefined ? {} : { reuse: (...range) => inner.reuse(...range) }),
  };
  return { meter, releaser };
}
