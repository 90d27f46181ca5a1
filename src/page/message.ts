/**
 * An event of the service, checked before anything is drawn from it: whatever is wrong with it is said in one sentence,
 * and nothing later has to wonder whether a figure is there.
 */
import type { LiveSlowPathCause, LiveState } from "../http/live-state.js";

export type Message =
  | { readonly ok: true; readonly live: LiveState }
  | { readonly ok: false; readonly reason: string };

/** The version of LiveState this page draws. */
export const VERSION = 1;

/** Why an allocation leaves the fast path, in the order they are drawn. */
export const CAUSES = [
  "cacheMiss",
  "epochClosed",
  "partialNull",
  "partialFull",
  "collected",
  "adopted",
  "reused",
  "outOfMemory",
] as const satisfies readonly LiveSlowPathCause[];

export function parseMessage(text: string): Message {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return no("an event is not JSON");
  }
  if (!isObject(value)) return no("an event is not an object");
  if (value.version !== VERSION) {
    return no(
      `the service sends version ${quoted(value.version)} of its events, this page knows version ${VERSION}: reload the page`,
    );
  }
  const fault = SHAPE(value, "");
  return fault === undefined ? { ok: true, live: value as unknown as LiveState } : no(`an event ${fault}`);
}

/** Of what is quoted, characters shown at most. */
const QUOTED = 40;

/** Lists and objects are only named: they may be nested deeper than can be written again. */
function quoted(value: unknown): string {
  if (value === undefined) return "(none)";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "[…]" : "{…}";
  const text = JSON.stringify(typeof value === "string" ? value.slice(0, QUOTED) : value);
  return text.length > QUOTED ? `${text.slice(0, QUOTED - 1)}…` : text;
}

const no = (reason: string): Message => ({ ok: false, reason });

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Says what is wrong with the value found at `path`. */
type Check = (value: unknown, path: string) => string | undefined;

const is =
  (type: "number" | "string" | "boolean"): Check =>
  (value, path) =>
    typeof value === type ? undefined : `has no ${type} at ${path}`;

const number = is("number");
const string = is("string");
const boolean = is("boolean");

const orNull =
  (check: Check): Check =>
  (value, path) =>
    value === null || value === undefined ? undefined : check(value, path);

const object =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value, path) => {
    if (!isObject(value)) return `has no object at ${path || "its top"}`;
    for (const [name, check] of Object.entries(fields)) {
      const fault = check(value[name], path === "" ? name : `${path}.${name}`);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };

/** A list is read to its end only as far as anything is drawn from it. */
const MOST = 4096;

const list =
  (check: Check): Check =>
  (value, path) => {
    if (!Array.isArray(value)) return `has no list at ${path}`;
    if (value.length > MOST) return `has ${value.length} entries at ${path}, at most ${MOST} are expected`;
    for (let i = 0; i < value.length; i++) {
      const fault = check(value[i], `${path}[${i}]`);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };

const numbers = (...names: string[]): Record<string, Check> =>
  Object.fromEntries(names.map((name) => [name, number]));

const COUNTS = orNull(number);

const SHAPE = object({
  ...numbers("timestampMs", "pid", "epochCount", "currentEpoch", "leakCount"),
  heapId: string,
  uptimeSec: COUNTS,
  source: string,
  health: object({
    status: string,
    live: boolean,
    ready: boolean,
    issues: list(object({ component: string, status: string, message: string })),
  }),
  heap: object({
    ...numbers("committedBytes", "liveBytes", "liveObjects", "slabBytes"),
    capacityBytes: COUNTS,
    slabCount: COUNTS,
    freeSlabs: COUNTS,
    attachedWorkers: COUNTS,
    rssBytes: COUNTS,
    residentBytes: COUNTS,
    warmBytes: COUNTS,
  }),
  epochs: list(
    object({
      ...numbers("id", "era", "refcount", "slabs", "partialSlabs", "fullSlabs", "reclaimableSlabs", "bytes"),
      ageSec: COUNTS,
      liveObjects: COUNTS,
      olderLiveObjects: COUNTS,
      oldestAgeSec: COUNTS,
      state: string,
      label: string,
      current: boolean,
      discarded: boolean,
    }),
  ),
  classes: list(object(numbers("index", "objectSize"))),
  slabMap: list(list(number)),
  slabMapLive: list(list(number)),
  rates: orNull(
    object({
      ...numbers(
        "seconds",
        "allocsPerSec",
        "freesPerSec",
        "remoteFreesPerSec",
        "slowPathPerSec",
        "closesPerSec",
      ),
      closeYieldPct: COUNTS,
      slowPathByCause: object(numbers(...CAUSES)),
    }),
  ),
  leaks: list(
    object({
      ...numbers("epochId", "era", "ageSec", "refcount", "liveObjects", "bytes"),
      kind: string,
      label: string,
      sentence: string,
      action: string,
    }),
  ),
});
