/** Between node:http and the handler. Nothing of Node's is imported, so this loads anywhere. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { describeValue, InvalidTypeError } from "../allocator/index.js";
import { type EventSink, HEARTBEAT_MS } from "./events.js";
import { Exchanges } from "./exchanges.js";
import { saysBody } from "./fetch.js";
import { type Call, Handler, type TelemetryHandler } from "./handler.js";
import type { Reply } from "./reply.js";

/** As `node:http`, Connect and Express call it. */
export type NodeListener = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => void;

/**
 * The handler as a listener for a `node:http` server, alone or among others: requests for paths that are not the
 * handler's are left to `next`, or answered with 404 where there is none. A connection on which a request arrives before
 * the answer to the one before has been sent (pipelining) is ended. Throws {@link InvalidTypeError} for anything
 * that `createTelemetryHandler` did not make.
 *
 * @example
 * ```ts
 * const telemetry = createNodeListener(createTelemetryHandler(reader, { basePath: "/telemetry", token }));
 * http.createServer((req, res) => telemetry(req, res, () => app(req, res))).listen(8080);
 * ```
 */
export function createNodeListener(handler: TelemetryHandler): NodeListener {
  if (!(handler instanceof Handler)) {
    throw new InvalidTypeError(
      `createNodeListener: handler must come from createTelemetryHandler(); got ${describeValue(handler)}.`,
    );
  }
  return listenerOf(handler, new Exchanges());
}

export function listenerOf(handler: Handler, exchanges: Exchanges): NodeListener {
  return (request, response, next) => {
    if (next !== undefined && !handler.owns(request.url ?? "/")) {
      next();
      return;
    }
    // Connections break at any time; without a listener that would end the process.
    response.on("error", ignore);
    request.on("error", ignore);
    const sent = exchanges.begin(request, response);
    if (sent === undefined) {
      request.socket.destroy();
      return;
    }
    handler.track(sent);
    const call = callOf(request);
    void handler.answer(call).then((reply) => {
      const { events } = reply;
      if (events !== undefined) void sent.then(() => events.leave());
      // What else is on its way in is not waited for; and who closes keeps no connections.
      const isLast = call.hasBody || handler.isClosing;
      send(
        request,
        response,
        isLast ? { ...reply, headers: { ...reply.headers, connection: "close" } } : reply,
      );
    });
  };
}

const ignore = (): void => {};

function callOf(request: IncomingMessage): Call {
  const header = (name: string): string | undefined => {
    const value = request.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  };
  const {
    method = "GET",
    url: target = "/",
    originalUrl,
  }: { originalUrl?: unknown } & IncomingMessage = request;
  return {
    method,
    target,
    original: typeof originalUrl === "string" ? originalUrl : undefined,
    hasBody: saysBody(header),
    header,
  };
}

function send(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  const { status, headers, body, events } = reply;
  if (response.headersSent || response.destroyed || request.socket.destroyed) {
    response.destroy();
    return;
  }
  response.writeHead(status, headers);
  if (events === undefined) {
    // Once `end` has been called the server takes the connection for idle, and closes it when it is closed itself.
    if (body === undefined) response.end();
    else response.write(body, () => response.end());
    return;
  }
  // Here silence lasts from one heartbeat to the next, or twice as long.
  request.socket.setTimeout(3 * HEARTBEAT_MS);
  response.flushHeaders();
  events.open(sinkOf(response));
}

function sinkOf(response: ServerResponse): EventSink {
  return {
    ready: () => !response.writableNeedDrain,
    write: (chunk) => void response.write(chunk),
    end: () => void response.end(),
    destroy: () => void response.destroy(),
  };
}
