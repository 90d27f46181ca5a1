/**
 * Defends: whatever clients do with their connections, each costs one answer at most, gives its place back, and is
 * neither cut off in an answer nor waited for without one when the server closes.
 * Method: sockets that ask without reading, read slowly, say nothing or leave, against a real server.
 */
import { Agent, createServer, get } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { createNodeListener, createTelemetryHandler, type TelemetryServerOptions } from "../../src/http.js";
import { InvalidValueError } from "../../src/index.js";
import type { StatsDocument } from "../../src/stats.js";
import { documentWith } from "../stats/diagnostics/builder.js";
import { ask, Listener, leakyHeap, raw, serve, until } from "./support.js";

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

const serveDocument = (options: TelemetryServerOptions, document: StatsDocument = documentWith()) =>
  serve(options, () => document);

/** A connection that says `bytes` and reads nothing by itself. */
async function dial(port: number, bytes = ""): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  sockets.push(socket);
  socket.pause();
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("connect", resolve));
  socket.write(bytes);
  return socket;
}

/** More than the system takes for a connection at a time. */
const LONG = "x".repeat(20_000_000);
const BIG: StatsDocument = {
  ...documentWith(),
  label_registry: { count: 1, max_labels: 16, labels: { 0: LONG } },
};
const STATS = "GET /stats.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
/** Nothing may take long: silence ends a connection after 300 ms. */
const IMPATIENT = {
  headersTimeoutMs: 300,
  requestTimeoutMs: 300,
  slowClientMs: 100,
  snapshotTimeoutMs: 100,
} as const;

test.each(["/metrics", "/", "/events", "/nothing"])(
  "%s: a request before the last answer is out ends the connection",
  async (path) => {
    const { url, port } = await serveDocument({});
    const text = await raw(port, `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(1000));
    expect(text.split("HTTP/1.1 ").length - 1).toBeLessThanOrEqual(1);
    expect((await ask(`${url}ready`)).status).toBe(200);
  },
);

test("requests one after the other share a connection, however long the answers", async () => {
  const { url } = await serveDocument(
    {},
    { ...BIG, label_registry: { ...BIG.label_registry, labels: { 0: "short" } } },
  );
  const big = await serveDocument({}, BIG);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (const [base, times] of [
    [url, 200],
    [big.url, 3],
  ] as const) {
    const ports = new Set<number | undefined>();
    for (let i = 0; i < times; i++) {
      const path = ["stats.json", "metrics", "ready"][i % 3];
      await new Promise<void>((resolve, reject) => {
        get(base + path, { agent }, (response) => {
          expect(response.statusCode).toBe(200);
          ports.add(response.socket.localPort);
          response.resume().once("end", resolve).once("error", reject);
        }).once("error", reject);
      });
    }
    expect(ports.size).toBe(1);
  }
  agent.destroy();
});

test("a client that never reads its answer loses its place", async () => {
  const { url, port } = await serveDocument({ ...IMPATIENT, maxConnections: 1 }, BIG);
  await dial(port, STATS);
  await expect(ask(`${url}ready`)).rejects.toThrow();
  for (;;) {
    const answer = await ask(`${url}ready`).catch(() => undefined);
    if (answer?.status === 200) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});

test("listeners of events may be silent between two of them", async () => {
  const { url } = await serveDocument({ ...IMPATIENT, intervalMs: 1000 });
  const listener = await Listener.open(`${url}events`);
  for (let i = 0; i < 3; i++) expect((await listener.next())?.event).toBe("state");
  listener.leave();
});

test("a listener whose answer waits behind the application's gives its place back when it leaves", async () => {
  const handler = createTelemetryHandler(leakyHeap().reader, { maxEventClients: 1 });
  const telemetry = createNodeListener(handler);
  let asked = 0;
  const application = createServer((request, response) =>
    telemetry(request, response, () => {
      // Never answered.
      asked++;
    }),
  );
  await new Promise<void>((resolve) => application.listen(0, "127.0.0.1", resolve));
  const { port } = application.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/events`;
  const head = "HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const socket = await dial(port, `GET /slow ${head}GET /events ${head}`);
  await until(() => asked === 1);
  for (;;) {
    const other = await Listener.open(url);
    other.leave();
    if (other.status === 503) break;
  }
  socket.destroy();
  for (;;) {
    const other = await Listener.open(url);
    other.leave();
    if (other.status === 200) break;
  }
  await handler.close();
  application.closeAllConnections();
  application.close();
});

test("nothing is kept for a request whose connection was gone before the handler saw it", async () => {
  const handler = createTelemetryHandler(documentWith(), { closeTimeoutMs: 2 ** 31 - 1, maxEventClients: 1 });
  const telemetry = createNodeListener(handler);
  let late = 0;
  const application = createServer((request, response) => {
    if (request.headers["x-late"] === undefined) telemetry(request, response);
    else {
      request.socket.once("close", () => {
        telemetry(request, response);
        late++;
      });
    }
  });
  await new Promise<void>((resolve) => application.listen(0, "127.0.0.1", resolve));
  const { port } = application.address() as AddressInfo;
  for (const path of ["/events", "/metrics"]) {
    const socket = await dial(port, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nX-Late: 1\r\n\r\n`);
    socket.end();
    socket.destroySoon();
  }
  await until(() => late === 2);
  const listener = await Listener.open(`http://127.0.0.1:${port}/events`);
  expect(listener.status).toBe(200);
  listener.leave();
  await handler.close();
  application.close();
});

test("close lets answers that are being sent arrive", async () => {
  const { server, port } = await serveDocument({ closeTimeoutMs: 60_000 }, BIG);
  const socket = await dial(port, STATS);
  let head = "";
  let received = 0;
  let closing: Promise<void> | undefined;
  socket.on("data", (chunk: Buffer) => {
    if (head === "") head = chunk.toString("latin1");
    received += chunk.length;
    // From here on a little at a time, so that most is still to be sent.
    socket.pause();
    closing ??= server.close();
    setTimeout(() => socket.resume(), 1);
  });
  socket.resume();
  await new Promise((resolve) => socket.once("close", resolve));
  await closing;
  const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
  expect(length).toBeGreaterThan(LONG.length);
  expect(received).toBe(head.indexOf("\r\n\r\n") + 4 + length);
});

test("close waits for no connection without a request", async () => {
  const { server, url, port } = await serveDocument({ closeTimeoutMs: 2 ** 31 - 1 });
  await dial(port);
  await dial(port, "GET /metr");
  const agent = new Agent({ keepAlive: true });
  await new Promise<void>((resolve) => {
    get(`${url}ready`, { agent }, (response) => response.resume().once("end", resolve));
  });
  // The server has taken in the others when it answers one that came later.
  expect((await ask(`${url}ready`)).status).toBe(200);
  await server.close();
  agent.destroy();
});

test("a server that has listened and was closed is at no address and does not listen again", async () => {
  const { server } = await serveDocument({});
  expect(server.url).toBeDefined();
  await server.close();
  expect(server.url).toBeUndefined();
  await expect(server.listen()).rejects.toBeInstanceOf(InvalidValueError);
});
