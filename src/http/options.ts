/** Options of handler and server, each read once and checked before anything starts. */
import {
  booleanOption,
  describeValue,
  InvalidTypeError,
  InvalidValueError,
  integerOption,
} from "../allocator/index.js";
import { type HealthThresholds, health } from "../stats/index.js";
import { LabelSlots, type PrometheusOptions, prometheusText } from "../telemetry/index.js";
import { checkOptionKeys, LONGEST_TIMER_MS, stringOption } from "../threads/index.js";
import { hostName, isLoopback } from "./hosts.js";

/** Options of `createTelemetryHandler`. */
export interface TelemetryHandlerOptions {
  /** Path below which the endpoints lie, such as "/telemetry"; default "/". */
  basePath?: string;
  /**
   * Secret that requests must bring along (`Authorization: Bearer ...`): 8 to 512 characters of A-Z a-z 0-9 - . _ ~ + / =.
   * Without one everybody who can reach the handler may read.
   */
  token?: string;
  /** `/health` and `/ready` ask for the token too; default false: probes rarely have one, and get the status only. */
  protectProbes?: boolean;
  /**
   * Host names that requests may be addressed to, without port; others are refused with 421. It is what keeps web pages
   * of strangers out that point a name of their own at this machine. Default: any for a handler, names of the machine
   * itself for a server on loopback.
   */
  allowedHosts?: readonly string[];
  /** When a heap counts as degraded or unhealthy; `leakThresholdSec` also for leaks on the live page and in metrics. */
  thresholds?: Partial<HealthThresholds>;
  /** Health is judged by what happened in about this many milliseconds, 100..2^31-1; default 10,000. */
  healthWindowMs?: number;
  /** How `/metrics` is written. Health and leaks in it follow `thresholds` unless something else is said here. */
  prometheus?: Omit<PrometheusOptions, "previous" | "thresholds">;
  /** Milliseconds between two events of `/events`, 100..3,600,000; default 1000. */
  intervalMs?: number;
  /** Most listeners of `/events`, 0..10,000; others get 503. Default 32. */
  maxEventClients?: number;
  /** A listener of `/events` that takes nothing in for so many milliseconds is dropped, 100..2^31-1; default 10,000. */
  slowClientMs?: number;
  /** Requests within so many milliseconds share one snapshot, 0..60,000; default 5. */
  snapshotMaxAgeMs?: number;
  /** A source that takes longer has failed, in milliseconds, 1..2^31-1; default 10,000. */
  snapshotTimeoutMs?: number;
  /** `close()` waits so many milliseconds for requests under way, 0..2^31-1; default 5000. */
  closeTimeoutMs?: number;
}

/** Options of `createTelemetryServer`. */
export interface TelemetryServerOptions extends TelemetryHandlerOptions {
  /** Address or name to listen on; default "127.0.0.1". One that others can reach needs a token, or `allowUnauthenticated`. */
  host?: string;
  /** 0..65535; default 0: a free one. */
  port?: number;
  /** Listens on an address that others can reach without asking for a token; default false. */
  allowUnauthenticated?: boolean;
  /** Most connections at a time, 1..65,535; more are not accepted. Default 128. */
  maxConnections?: number;
  /** Most bytes of a request's head, 1024..1,048,576; 431 beyond. Default 16,384. */
  maxHeaderBytes?: number;
  /** Milliseconds that a request's head may take to arrive, 100..2^31-1; 408 beyond. Default 5000. */
  headersTimeoutMs?: number;
  /** The same for the whole request, at least `headersTimeoutMs`; default 10,000. */
  requestTimeoutMs?: number;
}

export type HandlerConfig = Readonly<
  Required<Omit<TelemetryHandlerOptions, "token" | "allowedHosts" | "prometheus">> & {
    token: string | undefined;
    allowedHosts: readonly string[] | undefined;
    prometheus: PrometheusOptions;
  }
>;
export type ServerConfig = Readonly<Required<Omit<TelemetryServerOptions, keyof TelemetryHandlerOptions>>> & {
  readonly handler: HandlerConfig;
};

const HANDLER_OPTIONS = [
  "basePath",
  "token",
  "protectProbes",
  "allowedHosts",
  "thresholds",
  "healthWindowMs",
  "prometheus",
  "intervalMs",
  "maxEventClients",
  "slowClientMs",
  "snapshotMaxAgeMs",
  "snapshotTimeoutMs",
  "closeTimeoutMs",
] as const satisfies readonly (keyof TelemetryHandlerOptions)[];

const SERVER_OPTIONS = [
  "host",
  "port",
  "allowUnauthenticated",
  "maxConnections",
  "maxHeaderBytes",
  "headersTimeoutMs",
  "requestTimeoutMs",
] as const satisfies readonly (keyof TelemetryServerOptions)[];

/** Names by which a machine calls itself. */
const LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "::1"];

export function checkHandlerOptions(options: unknown): HandlerConfig {
  return readHandler(checkOptionKeys("createTelemetryHandler", options, HANDLER_OPTIONS));
}

export function checkServerOptions(options: unknown): ServerConfig {
  const given: TelemetryServerOptions = checkOptionKeys("createTelemetryServer", options, [
    ...SERVER_OPTIONS,
    ...HANDLER_OPTIONS,
  ]);
  const host = checkHost(given.host);
  const headersTimeoutMs = integerOption(
    "headersTimeoutMs",
    given.headersTimeoutMs,
    5000,
    100,
    LONGEST_TIMER_MS,
  );
  const handler = readHandler(given);
  const allowUnauthenticated = booleanOption("allowUnauthenticated", given.allowUnauthenticated);
  const isLocal = isLoopback(host);
  if (!isLocal && handler.token === undefined && !allowUnauthenticated) {
    throw new InvalidValueError(
      `Option "host" is ${JSON.stringify(host)}, which others may reach: set a "token", ` +
        'set "allowUnauthenticated" if everybody may read, or listen on 127.0.0.1.',
    );
  }
  return {
    host,
    port: integerOption("port", given.port, 0, 0, 65_535),
    allowUnauthenticated,
    maxConnections: integerOption("maxConnections", given.maxConnections, 128, 1, 65_535),
    maxHeaderBytes: integerOption("maxHeaderBytes", given.maxHeaderBytes, 16_384, 1024, 1_048_576),
    headersTimeoutMs,
    requestTimeoutMs: integerOption(
      "requestTimeoutMs",
      given.requestTimeoutMs,
      Math.max(10_000, headersTimeoutMs),
      headersTimeoutMs,
      LONGEST_TIMER_MS,
    ),
    handler: {
      ...handler,
      allowedHosts: handler.allowedHosts ?? (isLocal ? [...LOOPBACK_HOSTS, host] : undefined),
    },
  };
}

function readHandler(given: TelemetryHandlerOptions): HandlerConfig {
  const thresholds = given.thresholds === undefined ? {} : given.thresholds;
  // Wrong ones throw here, not at the first request; a source that fails is only reported.
  health({ snapshot: noDocument }, thresholds);
  return {
    basePath: checkBasePath(given.basePath),
    token: checkToken(given.token),
    protectProbes: booleanOption("protectProbes", given.protectProbes),
    allowedHosts: checkHosts(given.allowedHosts),
    thresholds: { ...thresholds },
    healthWindowMs: integerOption("healthWindowMs", given.healthWindowMs, 10_000, 100, LONGEST_TIMER_MS),
    prometheus: checkPrometheus(given.prometheus, thresholds),
    intervalMs: integerOption("intervalMs", given.intervalMs, 1000, 100, 3_600_000),
    maxEventClients: integerOption("maxEventClients", given.maxEventClients, 32, 0, 10_000),
    slowClientMs: integerOption("slowClientMs", given.slowClientMs, 10_000, 100, LONGEST_TIMER_MS),
    snapshotMaxAgeMs: integerOption("snapshotMaxAgeMs", given.snapshotMaxAgeMs, 5, 0, 60_000),
    snapshotTimeoutMs: integerOption(
      "snapshotTimeoutMs",
      given.snapshotTimeoutMs,
      10_000,
      1,
      LONGEST_TIMER_MS,
    ),
    closeTimeoutMs: integerOption("closeTimeoutMs", given.closeTimeoutMs, 5000, 0, LONGEST_TIMER_MS),
  };
}

/** Unreserved characters only: nothing that could be written in two ways. */
const BASE_PATH = /^(?:\/[A-Za-z0-9._~-]+)*\/?$/;

/** Without the slash at its end: "" for the root. */
function checkBasePath(value: unknown): string {
  const path = stringOption("basePath", value) ?? "/";
  if (!BASE_PATH.test(path) || path.split("/").some((part) => part === "." || part === "..")) {
    throw new InvalidValueError(
      `Option "basePath" must be a path such as "/telemetry", of letters, digits and - . _ ~; got ${JSON.stringify(path)}.`,
    );
  }
  return path.replace(/\/$/, "");
}

const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;
const SHORTEST_TOKEN = 8;
export const LONGEST_TOKEN = 512;

/** The value is a secret: messages do not repeat it. */
function checkToken(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "string") {
    throw new InvalidTypeError(`Option "token" must be a string; got a ${typeof value}.`);
  }
  if (!TOKEN.test(value) || value.length < SHORTEST_TOKEN || value.length > LONGEST_TOKEN) {
    throw new InvalidValueError(
      `Option "token" must have ${SHORTEST_TOKEN} to ${LONGEST_TOKEN} characters of A-Z a-z 0-9 - . _ ~ + / with = at the end only.`,
    );
  }
  return value;
}

function checkHosts(value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.length === 0) {
    throw new InvalidTypeError(
      `Option "allowedHosts" must be a list of at least one host name; got ${describeValue(value)}.`,
    );
  }
  return value.map((name: unknown) => {
    const text = stringOption("allowedHosts", name) ?? "";
    const host = hostName(text);
    if (host === undefined) {
      throw new InvalidValueError(
        `Option "allowedHosts" must name hosts without port, such as "metrics.example"; got ${JSON.stringify(text)}.`,
      );
    }
    return host;
  });
}

/** Complete, as the compiler sees to it. */
const PROMETHEUS_OPTIONS = {
  prefix: true,
  eraLabel: true,
  contentionByLabel: true,
  lockTimes: true,
  leakThresholdSec: true,
  maxLabels: true,
  labels: true,
} satisfies Record<keyof NonNullable<TelemetryHandlerOptions["prometheus"]>, true>;

function checkPrometheus(given: unknown, thresholds: Partial<HealthThresholds>): PrometheusOptions {
  const value = given === undefined ? {} : given;
  if (typeof value !== "object" || value === null) {
    throw new InvalidTypeError(`Option "prometheus" must be an object; got ${describeValue(value)}.`);
  }
  for (const key of ["previous", "thresholds"]) {
    if (key in value) {
      throw new InvalidTypeError(`Option "prometheus" has no "${key}": the handler's own option says it.`);
    }
  }
  checkOptionKeys('Option "prometheus"', value, Object.keys(PROMETHEUS_OPTIONS));
  const { leakThresholdSec } = thresholds;
  const options: PrometheusOptions = {
    ...(leakThresholdSec !== undefined && { leakThresholdSec }),
    ...value,
  };
  // Options are checked before the document is asked for, and there is none.
  try {
    prometheusText({ snapshot: noDocument }, options);
  } catch (error) {
    if (error !== NO_DOCUMENT) throw error;
  }
  const { maxLabels, ...rest } = options;
  // One set for all scrapes: a label that got a place keeps it, and no new one gets in later.
  return { ...rest, labels: options.labels ?? new LabelSlots(maxLabels) };
}

const NO_DOCUMENT = new Error("there is no document");

function noDocument(): never {
  throw NO_DOCUMENT;
}

function checkHost(value: unknown): string {
  const text = stringOption("host", value) ?? "127.0.0.1";
  const host = hostName(text);
  if (host === undefined) {
    throw new InvalidValueError(
      `Option "host" must be a host name or an address, without port; got ${JSON.stringify(text)}.`,
    );
  }
  return host;
}
