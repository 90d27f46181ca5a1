/** The endpoints: from a request, whichever runtime it came through, to an answer. */
import { type HealthReport, health, type StatsDocument, stringifyStats } from "../stats/index.js";
import { PROMETHEUS_CONTENT_TYPE, prometheusText } from "../telemetry/index.js";
import { Deadline } from "./deadline.js";
import { Events } from "./events.js";
import { fetchReply } from "./fetch.js";
import { Guard } from "./guard.js";
import { liveState } from "./live-state.js";
import { checkHandlerOptions, type HandlerConfig, type TelemetryHandlerOptions } from "./options.js";
import { loadPage } from "./page.js";
import { errorReply, houseHeaders, JSON_TYPE, type Reply, textReply } from "./reply.js";
import { SnapshotFailure, Snapshots, type Taken, type TelemetrySource } from "./snapshots.js";

/** Answers requests about a heap. Made by {@link createTelemetryHandler}. */
export interface TelemetryHandler extends AsyncDisposable {
  /**
   * Answers a request; never rejects. Bound to the handler: `Deno.serve(handler.fetch)` and `Bun.serve({ fetch })` take
   * it as it is. Paths that are not the handler's get 404.
   */
  readonly fetch: (request: Request) => Promise<Response>;
  /** Whether a path is one of the handler's; what comes behind "?" is not looked at. */
  owns(target: string): boolean;
  /**
   * Ends the listeners of `/events` with a `closing` event, answers new requests with 503, and resolves when those under
   * way have been answered (with node:http: when the answers have been sent), or after `closeTimeoutMs`. May be called
   * again.
   */
  close(): Promise<void>;
}

/** A request as the adapters hand it over. */
export interface Call {
  readonly method: string;
  /** Path and query as sent. */
  readonly target: string;
  /** The same before a router took its mount's path off. */
  readonly original?: string | undefined;
  readonly hasBody: boolean;
  /** `name` in lower case. */
  header(name: string): string | undefined;
}

type Endpoint = "page" | "metrics" | "stats" | "health" | "detailed" | "ready" | "events";

/** slashless: the base path itself, without the slash at its end. */
type Found = Endpoint | "slashless";

const ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map([
  ["/", "page"],
  ["/metrics", "metrics"],
  ["/stats.json", "stats"],
  ["/stats", "stats"],
  ["/health", "health"],
  ["/health/detailed", "detailed"],
  ["/ready", "ready"],
  ["/events", "events"],
]);

const ALLOW = "GET, HEAD, OPTIONS";

/**
 * A handler for requests about a heap: `/` (live page), `/metrics`, `/stats.json` (also `/stats`), `/health`,
 * `/health/detailed`, `/ready` and `/events`. Nothing listens and nothing is sampled by itself; where it is reachable is
 * up to whoever mounts it, so set `token` or `allowedHosts` as needed (see docs/http.md).
 *
 * Throws {@link InvalidTypeError} or {@link InvalidValueError} for a source or options it does not take.
 *
 * @example
 * ```ts
 * const handler = createTelemetryHandler(StatsReader.open(heap), { basePath: "/telemetry" });
 * Deno.serve({ port: 2112, hostname: "127.0.0.1" }, handler.fetch);
 * ```
 */
export function createTelemetryHandler(
  source: TelemetrySource,
  options?: TelemetryHandlerOptions,
): TelemetryHandler {
  return new Handler(source, checkHandlerOptions(options));
}

export class Handler implements TelemetryHandler {
  readonly fetch = (request: Request): Promise<Response> => fetchReply(this, request);
  readonly config: HandlerConfig;
  readonly #snapshots: Snapshots;
  readonly #events: Events;
  readonly #guard: Guard;
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(source: TelemetrySource, config: HandlerConfig) {
    this.config = config;
    this.#snapshots = new Snapshots(source, config);
    this.#guard = new Guard(config);
    this.#events = new Events({
      ...config,
      take: async () => (await this.#snapshots.take()).document,
      describe: (document, previous) => {
        const { thresholds } = config;
        const baseline = this.#snapshots.baselineOf(document);
        return JSON.stringify(liveState(document, previous, { thresholds, baseline }));
      },
    });
  }

  owns(target: string): boolean {
    return this.#find(target) !== undefined;
  }

  /** `close()` was called. */
  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** The answer; never rejects. */
  async answer(call: Call): Promise<Reply> {
    const work = this.#answer(call);
    this.track(work);
    try {
      return await work;
    } catch (error) {
      if (error instanceof SnapshotFailure) return unavailable(error.message);
      const reason = error instanceof Error ? error.message : String(error);
      return errorReply(500, "internal-error", `The answer could not be made: ${reason}`);
    }
  }

  /** `close()` waits for it, however it ends. */
  track(work: Promise<unknown>): void {
    const done = (): void => void this.#underWay.delete(work);
    this.#underWay.add(work);
    work.then(done, done);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#events.close();
    const deadline = new Deadline(this.config.closeTimeoutMs);
    await Promise.race([Promise.allSettled(this.#underWay), deadline.passed]);
    deadline.cancel();
  }

  #find(target: string): Found | undefined {
    const path = pathOf(target);
    const { basePath } = this.config;
    if (path === basePath && basePath !== "") return "slashless";
    return path.startsWith(`${basePath}/`) ? ENDPOINTS.get(path.slice(basePath.length)) : undefined;
  }

  async #answer(call: Call): Promise<Reply> {
    const { method } = call;
    if (method === "OPTIONS" && call.target === "*") return allowed();
    const endpoint = this.#find(call.target);
    if (endpoint === undefined) {
      return errorReply(
        404,
        "not-found",
        `There is nothing here. Known: ${[...ENDPOINTS.keys()].map((path) => this.config.basePath + path).join(" ")}`,
      );
    }
    if (method === "OPTIONS") return allowed();
    if (method !== "GET" && method !== "HEAD") {
      return errorReply(405, "method-not-allowed", `Allowed are ${ALLOW}.`, { allow: ALLOW });
    }
    if (call.hasBody) return errorReply(413, "body-not-allowed", "Requests with a body are not taken.");
    if (!this.#guard.admitsHost(call.header("host"))) {
      return errorReply(
        421,
        "host-not-allowed",
        `The request is addressed to a host that is not served. Served: ${this.config.allowedHosts?.join(", ")}.`,
      );
    }
    if (this.isClosing) {
      return errorReply(503, "closing", "The service is closing down.", { "retry-after": "5" });
    }
    const reply = await this.#serve(endpoint, call);
    return method === "HEAD" ? { status: reply.status, headers: reply.headers } : reply;
  }

  async #serve(endpoint: Found, call: Call): Promise<Reply> {
    // Relative, because a proxy may have cut off what comes before; the page's own references need the slash. The dot
    // keeps a folder called "https:evil.example" from being another site.
    const folder = endpoint === "slashless" ? this.config.basePath : folderWithoutSlash(endpoint, call);
    if (folder !== undefined) return redirect(`./${folder.split("/").at(-1)}/`);
    if (endpoint === "page") {
      const { body, policy } = await loadPage();
      return textReply(200, "text/html; charset=utf-8", body, policy);
    }
    const isProbe = endpoint === "health" || endpoint === "ready";
    const isKnown = await this.#guard.admitsToken(call.header("authorization"));
    if (!isKnown && !(isProbe && !this.config.protectProbes)) {
      return errorReply(401, "token-needed", "A bearer token is needed, or the one given is wrong.", {
        "www-authenticate": 'Bearer realm="temporal-slab"',
      });
    }
    if (isProbe) return this.#probe(endpoint, isKnown);
    if (endpoint === "events") return this.#listen(call);
    if (endpoint === "detailed") {
      const report = await this.#health();
      return jsonReply(report.live ? 200 : 503, detailed(report));
    }
    const taken = await this.#snapshots.take();
    if (endpoint === "stats") {
      return textReply(
        200,
        JSON_TYPE,
        shared(taken, endpoint, (each) => `${stringifyStats(each)}\n`),
      );
    }
    const text = shared(taken, endpoint, (document) => this.#metricsOf(document));
    return textReply(200, PROMETHEUS_CONTENT_TYPE, text);
  }

  async #probe(endpoint: "health" | "ready", isKnown: boolean): Promise<Reply> {
    const report = await this.#health();
    const { status, live, ready, timestamp } = report;
    const ok = endpoint === "health" ? live : ready;
    // Where a token is asked for, those without it learn nothing but the answer.
    const brief = { status, live, ready, timestamp };
    if (!isKnown) return jsonReply(ok ? 200 : 503, brief);
    const { version, uptime_sec: uptime, issues } = report;
    return jsonReply(ok ? 200 : 503, { ...brief, uptime, version, issues });
  }

  /** A source that fails is what liveness is about: reported, not thrown. */
  async #health(): Promise<HealthReport> {
    const { thresholds } = this.config;
    try {
      const { document } = await this.#snapshots.take();
      return health(document, thresholds, this.#snapshots.baselineOf(document));
    } catch (error) {
      const snapshot = () => {
        throw error;
      };
      return health({ snapshot }, thresholds);
    }
  }

  #metricsOf(document: StatsDocument): string {
    const { prometheus, thresholds } = this.config;
    const previous = this.#snapshots.baselineOf(document);
    return prometheusText(document, { ...prometheus, thresholds, ...(previous && { previous }) });
  }

  #listen(call: Call): Reply {
    // A page of another site may open connections here although it cannot read them: it would take all places.
    const site = call.header("sec-fetch-site");
    if (site === "cross-site" || site === "same-site") {
      return errorReply(403, "other-site", "Pages of other sites may not listen.");
    }
    const headers = { ...houseHeaders(), "content-type": "text/event-stream; charset=utf-8" };
    if (call.method === "HEAD") return { status: 200, headers };
    const events = this.#events.admit();
    if (events === undefined) {
      const message = `There are ${this.config.maxEventClients} listeners, which is the limit.`;
      return errorReply(503, "too-many-listeners", message, { "retry-after": "5" });
    }
    // Proxies that collect answers before they pass them on are asked not to.
    return { status: 200, headers: { ...headers, "x-accel-buffering": "no" }, events };
  }
}

/** Requests that share a snapshot share what is made of it. */
function shared(taken: Taken, name: string, text: (document: StatsDocument) => string): Uint8Array {
  const made = taken.answers.get(name) ?? new TextEncoder().encode(text(taken.document));
  taken.answers.set(name, made);
  return made;
}

/** The path of an origin-form or absolute-form target, as sent: nothing is decoded, so nothing has two spellings. */
function pathOf(target: string): string {
  const [authority = ""] = /^https?:\/\/[^/?#]*/i.exec(target) ?? [];
  const path = target.slice(authority.length).replace(/[?#][\s\S]*$/, "");
  return path === "" && authority !== "" ? "/" : path;
}

/** A router that is mounted at "/telemetry" says "/" for it and for "/telemetry/". */
function folderWithoutSlash(endpoint: string, { original }: Call): string | undefined {
  if (endpoint !== "page" || original === undefined) return undefined;
  const path = pathOf(original);
  return path.endsWith("/") ? undefined : path;
}

function detailed(report: HealthReport): unknown {
  const { status, live, ready, timestamp, uptime_sec: uptime, version, components, issues } = report;
  return { status, live, ready, timestamp, uptime, version, components, issues };
}

function jsonReply(status: number, value: unknown): Reply {
  return textReply(status, JSON_TYPE, `${JSON.stringify(value)}\n`);
}

const unavailable = (reason: string): Reply =>
  errorReply(503, "no-snapshot", `No snapshot could be taken: ${reason}`, { "retry-after": "5" });

const allowed = (): Reply => ({ status: 204, headers: { ...houseHeaders(), allow: ALLOW } });

const redirect = (location: string): Reply => ({
  status: 308,
  headers: { ...houseHeaders(), location, "content-length": "0" },
});
