/** The options of `tslab workload`, and the parsers of those with a grammar of their own. */
import type { HeapOptions } from "../../index.js";
import { badValue, checkedValue, type OptionTable } from "../args.js";
import { parseBytes } from "../format.js";
import { type FreePolicy, PATTERN_NAMES } from "./patterns.js";
import { RELEASE_CHOICES } from "./release.js";

const GIB = 1024 ** 3;
const MAX_THREADS = 64;

export const WORKLOAD_OPTIONS: OptionTable = {
  pattern: { kind: "choice", choices: PATTERN_NAMES, help: `${PATTERN_NAMES.join(", ")} (default burst)` },
  trace: { kind: "text", value: "FILE", help: "replay a recorded allocation trace in every worker instead" },
  duration: {
    kind: "number",
    value: "SEC",
    min: 0.1,
    max: 86_400,
    aliases: ["duration-s"],
    help: "how long to run (default 3; with --repeat: no limit)",
  },
  repeat: {
    kind: "integer",
    value: "N",
    min: 1,
    max: 1e9,
    help: "end after N repetitions of the trace per worker",
  },
  threads: {
    kind: "integer",
    value: "N",
    min: 1,
    max: MAX_THREADS,
    help: "worker threads (default 2, or 1 on one core)",
  },
  "req-rate": {
    kind: "integer",
    value: "N",
    min: 0,
    max: 1e9,
    help: "requests per second of all workers; 0: as fast as possible",
  },
  "objs-min": { kind: "integer", value: "N", min: 1, max: 1e6, help: "fewest objects of a request" },
  "objs-max": { kind: "integer", value: "N", min: 1, max: 1e6, help: "most objects of a request" },
  size: { kind: "bytes", value: "BYTES", min: 1, max: 4 * GIB, help: "size of each object" },
  "epoch-policy": {
    kind: "text",
    value: "P",
    help: "close the epoch: per_req, batch:N (requests) or manual (never)",
  },
  "free-policy": {
    kind: "text",
    value: "P",
    help: "free objects: within_req, lag:N (requests later) or leak:PCT (never)",
  },
  handoff: {
    kind: "number",
    value: "PCT",
    min: 0,
    max: 100,
    help: "objects handed to another worker to free (default 10; kernel: 0)",
  },
  capacity: {
    kind: "bytes",
    value: "BYTES",
    min: 4096,
    max: 4 * GIB,
    help: "heap payload, such as 64MiB (default by pattern)",
  },
  "slab-size": {
    kind: "bytes",
    value: "BYTES",
    min: 4096,
    max: 1024 ** 2,
    help: "bytes per slab, a power of two",
  },
  "size-classes": { kind: "text", value: "LIST", help: "default, seed or a list such as 64,128,256" },
  release: {
    kind: "choice",
    choices: RELEASE_CHOICES,
    value: "HOW",
    help: "give pages of free slabs back to the system: auto (default; what the runtime offers) or none",
  },
  reserve: {
    kind: "bytes",
    value: "BYTES",
    min: 0,
    max: 4 * GIB,
    help: "free slabs that closes leave resident (default 0 for kernel, else by capacity)",
  },
  decay: {
    kind: "duration",
    value: "TIME",
    min: 50,
    max: 3_600_000,
    help: "give back slabs that stay unused over that time, the reserve too (default: never)",
  },
  "no-release-on-close": { kind: "flag", help: "closes give nothing back; --decay still does" },
  seed: {
    kind: "integer",
    value: "N",
    min: 0,
    max: 2 ** 32 - 1,
    help: "seed of all random choices (default 1)",
  },
  "check-every": {
    kind: "integer",
    value: "N",
    min: 1,
    max: 1e9,
    help: "check every Nth object in full, the others at both ends (default 16)",
  },
  "kill-workers": { kind: "flag", help: "terminate workers at random moments and replace them" },
  "kill-rate": {
    kind: "number",
    value: "N",
    min: 0.1,
    max: 100,
    help: "kills per second (default 2); implies --kill-workers",
  },
  "inject-damage": { kind: "flag", help: "self-test: scribble over live objects; the run must fail" },
  serve: {
    kind: "integer",
    value: "PORT",
    min: 0,
    max: 65_535,
    help: "live page and metrics on that port of this machine while it runs; 0: a free one",
  },
  progress: { kind: "flag", help: "print progress even when stderr is not a terminal" },
  json: { kind: "flag", help: "print one JSON document instead of the report" },
};

/** `--size-classes`: a named list or sizes with commas between. */
export function sizeClassList(text: string | undefined): HeapOptions["sizeClasses"] {
  if (text === undefined || text === "default" || text === "seed") return text;
  const sizes = text.split(",").map((part) => parseBytes(part) ?? Number.NaN);
  if (sizes.some(Number.isNaN)) {
    throw badValue(
      "--size-classes",
      text,
      'default, seed or sizes with commas between, such as "64,128,256"',
    );
  }
  return sizes;
}

/** `--epoch-policy`: after how many requests the epoch is closed; 0: never. */
export function epochPolicy(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [word, count] = policyParts(text);
  if (word === "manual" && count === undefined) return 0;
  if (word === "per_req" && count === undefined) return 1;
  if (word === "batch") return countIn("--epoch-policy", text, "batch:N with N", count, 1, 1e6, true);
  throw badValue("--epoch-policy", text, "per_req, batch:N or manual");
}

/** `--free-policy`. */
export function freePolicy(text: string | undefined): FreePolicy | undefined {
  if (text === undefined) return undefined;
  const [word, count] = policyParts(text);
  if (word === "within_req" && count === undefined) return { kind: "within_req" };
  if (word === "lag") {
    return { kind: "lag", requests: countIn("--free-policy", text, "lag:N with N", count, 1, 1e5, true) };
  }
  if (word === "leak") {
    return {
      kind: "leak",
      percent: countIn("--free-policy", text, "leak:PCT with PCT", count, 0, 100, false),
    };
  }
  throw badValue("--free-policy", text, "within_req, lag:N or leak:PCT");
}

function policyParts(text: string): [word: string, count: string | undefined] {
  const colon = text.indexOf(":");
  const word = (colon < 0 ? text : text.slice(0, colon)).toLowerCase().replaceAll("-", "_");
  return [word, colon < 0 ? undefined : text.slice(colon + 1)];
}

function countIn(
  option: string,
  text: string,
  what: string,
  count: string | undefined,
  min: number,
  max: number,
  whole: boolean,
): number {
  const kind = whole ? "integer" : "number";
  try {
    return checkedValue(option, { kind, value: "N", min, max, help: "" }, count) as number;
  } catch {
    throw badValue(option, text, `${what} ${whole ? "a whole number " : ""}from ${min} to ${max}`);
  }
}
