/** A server of its own for a heap's telemetry. */
import type { AddressInfo, Socket } from "node:net";
import { InvalidValueError } from "../allocator/index.js";
import { LONGEST_TIMER_MS } from "../threads/index.js";
import { later } from "./deadline.js";
import { Exchanges } from "./exchanges.js";
import { Handler, type TelemetryHandler } from "./handler.js";
import { bracketed } from "./hosts.js";
import { listenerOf } from "./node-listener.js";
import { checkServerOptions, type ServerConfig, type TelemetryServerOptions } from "./options.js";
import type { TelemetrySource } from "./snapshots.js";

/** Where a server listens. */
export interface TelemetryAddress {
  /** Of the live page; ends with a slash. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
}

/** A server for a heap's telemetry. Made by {@link createTelemetryServer}. */
export interface TelemetryServer extends AsyncDisposable {
  readonly handler: TelemetryHandler;
  /** Where it listens; undefined before it does and after `close()`. */
  readonly url: string | undefined;
  /**
   * Starts to listen; resolves when it does. Further calls answer the same. Rejects with the system's error when the
   * address cannot be had (`EADDRINUSE`, `EACCES`, ...), and with {@link InvalidValueError} after `close()`.
   */
  listen(): Promise<TelemetryAddress>;
  /**
   * Stops accepting, ends connections without a request and the listeners of `/events` (with a `closing` event), waits
   * up to `closeTimeoutMs` until requests under way have been answered and the answers sent, and then ends their
   * connections. May be called again, also before `listen()`.
   */
  close(): Promise<void>;
}

/**
 * A server for a heap's telemetry on `node:http` (Node, Deno, Bun), by default on a free port of 127.0.0.1. It keeps the
 * process alive until it is closed.
 *
 * Throws {@link InvalidTypeError} or {@link InvalidValueError} for a source or options it does not take; listening
 * where others can reach it needs a `token`, or `allowUnauthenticated`.
 *
 * @example
 * ```ts
 * await using server = createTelemetryServer(StatsReader.open(heap), { port: 2112 });
 * const { url } = await server.listen();
 * ```
 */
export function createTelemetryServer(
  source: TelemetrySource,
  options?: TelemetryServerOptions,
): TelemetryServer {
  const config = checkServerOptions(options);
  return new Server(new Handler(source, config.handler), config);
}

type HttpServer = import("node:http").Server;

class Server implements TelemetryServer {
  readonly handler: Handler;
  readonly #config: ServerConfig;
  readonly #exchanges = new Exchanges();
  readonly #connections = new Set<Socket>();
  #http: HttpServer | undefined;
  #listening: Promise<TelemetryAddress> | undefined;
  #closing: Promise<void> | undefined;
  #url: string | undefined;

  constructor(handler: Handler, config: ServerConfig) {
    this.handler = handler;
    this.#config = config;
  }

  get url(): string | undefined {
    return this.#url;
  }

  listen(): Promise<TelemetryAddress> {
    if (this.#closing !== undefined) return Promise.reject(closedError());
    this.#listening ??= this.#listen();
    return this.#listening;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #listen(): Promise<TelemetryAddress> {
    const { createServer } = await import("node:http");
    if (this.#closing !== undefined) throw closedError();
    const { host, port, maxConnections, maxHeaderBytes, headersTimeoutMs, requestTimeoutMs } = this.#config;
    const listener = listenerOf(this.handler, this.#exchanges);
    const server = createServer(
      {
        maxHeaderSize: maxHeaderBytes,
        headersTimeout: headersTimeoutMs,
        requestTimeout: requestTimeoutMs,
        // How often the two are looked at.
        connectionsCheckingInterval: Math.min(1000, headersTimeoutMs),
        keepAliveTimeout: KEEP_ALIVE_MS,
      },
      listener,
    );
    server.maxConnections = maxConnections;
    server.maxHeadersCount = MOST_HEADERS;
    server.timeout = silenceMs(this.#config);
    server.on("connection", (socket) => {
      this.#connections.add(socket);
      socket.once("close", () => this.#connections.delete(socket));
    });
    // Whoever asks first whether a body is welcome gets the answer to the request instead.
    server.on("checkContinue", listener);
    this.#http = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    // A connection that cannot be accepted is no reason to end the process.
    server.on("error", () => {});
    const { port: actual } = server.address() as AddressInfo;
    const path = `${this.handler.config.basePath}/`;
    this.#url = `http://${bracketed(REACHABLE.get(host) ?? host)}:${actual}${path}`;
    return { url: this.#url, host, port: actual };
  }

  async #close(): Promise<void> {
    // Whether or not it could listen.
    await this.#listening?.catch(() => {});
    this.#url = undefined;
    const server = this.#http;
    const stopped = new Promise<void>((resolve) => {
      if (server === undefined || !server.listening) resolve();
      else server.close(() => resolve());
    });
    const answered = this.handler.close();
    this.#endIdle();
    const limit = later(() => {
      for (const socket of this.#connections) socket.destroy();
      server?.closeAllConnections();
    }, this.#config.handler.closeTimeoutMs);
    // Answers whose headers were sent before promise that the connection stays.
    await answered;
    this.#endIdle();
    await stopped;
    clearTimeout(limit);
  }

  /** Those that wait for their first byte or the rest of a head, too, which the server does not call idle. */
  #endIdle(): void {
    for (const socket of this.#connections) if (!this.#exchanges.isBusy(socket)) socket.destroy();
    // Runtimes that do not show their connections.
    this.#http?.closeIdleConnections();
  }
}

const closedError = (): InvalidValueError => new InvalidValueError("listen: the server has been closed.");

/** How long nothing may move on a connection: longer than anything that is waited for takes. */
function silenceMs({ requestTimeoutMs, handler }: ServerConfig): number {
  const longest = Math.max(requestTimeoutMs, handler.slowClientMs, 2 * handler.snapshotTimeoutMs);
  return Math.min(longest, LONGEST_TIMER_MS);
}

/** A connection without a request is closed after this long. */
const KEEP_ALIVE_MS = 5000;
const MOST_HEADERS = 100;
/** Addresses that stand for all of the machine's, and one of them. */
const REACHABLE: ReadonlyMap<string, string> = new Map([
  ["0.0.0.0", "127.0.0.1"],
  ["::", "::1"],
]);
