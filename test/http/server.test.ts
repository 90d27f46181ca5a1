/**
 * Defends: the server is reachable from this machine only unless told otherwise; broken, oversized, slow and numerous
 * requests cost it a connection at most; it closes completely, in time, and twice.
 * Method: raw bytes over real sockets; connections counted by the operating system's refusals.
 */
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { expect, test } from "vitest";
import {
  createNodeListener,
  createTelemetryHandler,
  createTelemetryServer,
  type TelemetryServer,
} from "../../src/http.js";
import { InvalidTypeError, InvalidValueError } from "../../src/index.js";
import { documentWith } from "../stats/diagnostics/builder.js";
import { ask, Listener, leakyHeap, raw, serve, until } from "./support.js";

test("listens on loopback, on a free port, and says where", async () => {
  const { server, url, host, port } = await serve();
  expect([host, url, server.url]).toEqual(["127.0.0.1", `http://127.0.0.1:${port}/`, url]);
  expect(await server.listen()).toEqual({ url, host, port });
  for (const path of ["", "metrics", "stats.json", "stats", "health", "health/detailed", "ready"]) {
    const { status, headers, body } = await ask(url + path);
    expect([path, status, body.length]).toEqual([path, 200, Number(headers["content-length"])]);
    expect(headers["x-content-type-options"]).toBe("nosniff");
  }
  expect(await ask(`${url}metrics`, { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
});

test("refuses to be reachable for others without a token or an explicit word", async () => {
  const { reader } = leakyHeap();
  for (const host of ["0.0.0.0", "::", "192.0.2.1", "metrics.example", "128.0.0.1", "127.evil.example"]) {
    expect(() => createTelemetryServer(reader, { host })).toThrow(InvalidValueError);
    expect(() => createTelemetryServer(reader, { host })).toThrow(/"token".*"allowUnauthenticated"/);
  }
  const { url, port } = await serve({ host: "0.0.0.0", token: "0123456789" });
  expect(url).toBe(`http://127.0.0.1:${port}/`);
  expect((await ask(`${url}metrics`)).status).toBe(401);
  expect((await ask(`${url}metrics`, { headers: { authorization: "Bearer 0123456789" } })).status).toBe(200);
  const open = await serve({ host: "0.0.0.0", allowUnauthenticated: true });
  expect((await ask(`${open.url}metrics`, { headers: { host: "any.example" } })).status).toBe(200);
});

test("on loopback, names that were made to point here are not served", async () => {
  const { url, port } = await serve();
  for (const host of [`localhost:${port}`, "127.0.0.1", "[::1]:80", "LOCALHOST"]) {
    expect([host, (await ask(`${url}metrics`, { headers: { host } })).status]).toEqual([host, 200]);
  }
  for (const host of [
    "evil.example",
    `evil.example:${port}`,
    "localhost.evil.example",
    "127.0.0.1.evil.example",
  ]) {
    expect([host, (await ask(`${url}stats.json`, { headers: { host } })).status]).toEqual([host, 421]);
  }
  expect(await raw(port, "GET /metrics HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1\.1 421 /);
});

test("the base path comes before everything", async () => {
  const { url, port } = await serve({ basePath: "/a/b/" });
  expect(url).toBe(`http://127.0.0.1:${port}/a/b/`);
  expect((await ask(`${url}metrics`)).status).toBe(200);
  const slashless = await ask(url.slice(0, -1));
  expect([slashless.status, slashless.headers.location]).toEqual([308, "./b/"]);
  for (const path of [
    "/",
    "/metrics",
    "/a/",
    "/a/bmetrics",
    "/a/b/c",
    "/a//b/metrics",
    "/a/b/../b/metrics",
  ]) {
    expect(await raw(port, `GET ${path} HTTP/1.0\r\nHost: localhost\r\n\r\n`)).toMatch(/^HTTP\/1\.1 404 /);
  }
});

test("broken and hostile requests get a refusal and no connection; the next one is served", async () => {
  const { url, port } = await serve({ maxHeaderBytes: 2048, headersTimeoutMs: 300, requestTimeoutMs: 600 });
  const L = "Host: localhost\r\n";
  const cases: [string | Buffer, RegExp][] = [
    ["\r\n\r\n\r\nnonsense\r\n\r\n", /^HTTP\/1\.1 400 /],
    [Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), /^HTTP\/1\.1 400 /],
    ["GET /metrics HTTP/1.1\r\n\r\n", /^HTTP\/1\.1 400 /],
    [`GET /metrics HTTP/9.9\r\n${L}\r\n`, /^HTTP\/1\.1 (400|505) /],
    [`BREW /metrics HTTP/1.1\r\n${L}\r\n`, /^HTTP\/1\.1 400 /],
    [`GET /metrics HTTP/1.1\r\n${L}X: ${"x".repeat(4000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
    [`GET /${"m".repeat(4000)} HTTP/1.1\r\n${L}\r\n`, /^HTTP\/1\.1 431 /],
    // Smuggling: two lengths, a length and chunks.
    [`GET /metrics HTTP/1.1\r\n${L}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, /^HTTP\/1\.1 400 /],
    [
      `GET /metrics HTTP/1.1\r\n${L}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      /^HTTP\/1\.1 400 /,
    ],
    // Bodies are not read: the answer comes before they end.
    [
      `GET /metrics HTTP/1.1\r\n${L}Content-Length: 1000000\r\n\r\nabc`,
      /^HTTP\/1\.1 413 [\s\S]*connection: close/i,
    ],
    [
      `POST /metrics HTTP/1.1\r\n${L}Content-Length: 1000000\r\n\r\nabc`,
      /^HTTP\/1\.1 405 [\s\S]*connection: close/i,
    ],
    [`POST /metrics HTTP/1.1\r\n${L}Expect: 100-continue\r\nContent-Length: 9\r\n\r\n`, /^HTTP\/1\.1 405 /],
    [`GET /metrics HTTP/1.1\r\n${L}Transfer-Encoding: chunked\r\n\r\n5\r\nab`, /^HTTP\/1\.1 413 /],
    [`CONNECT localhost:1 HTTP/1.1\r\n${L}\r\n`, /^(HTTP\/1\.1 4\d\d |$)/],
    [`GET http://localhost/nothing HTTP/1.1\r\n${L}Connection: close\r\n\r\n`, /^HTTP\/1\.1 404 /],
    [`GET http://localhost HTTP/1.1\r\n${L}Connection: close\r\n\r\n`, /^HTTP\/1\.1 200 [\s\S]*text\/html/],
    [`GET http://localhost/ready HTTP/1.1\r\n${L}Connection: close\r\n\r\n`, /^HTTP\/1\.1 200 /],
    [`GET /../../etc/passwd HTTP/1.1\r\n${L}Connection: close\r\n\r\n`, /^HTTP\/1\.1 404 /],
    [
      `OPTIONS * HTTP/1.1\r\n${L}Connection: close\r\n\r\n`,
      /^HTTP\/1\.1 204 [\s\S]*allow: GET, HEAD, OPTIONS/i,
    ],
    [`TRACE /metrics HTTP/1.1\r\n${L}Connection: close\r\n\r\n`, /^HTTP\/1\.1 405 /],
    // Never ends its head; then never says anything.
    [`GET /metrics HTTP/1.1\r\n${L}X: `, /^HTTP\/1\.1 408 /],
    ["", /^(HTTP\/1\.1 408 |$)/],
  ];
  const answers = await Promise.all(cases.map(([bytes]) => raw(port, bytes)));
  answers.forEach((answer, i) => {
    const [bytes, expected] = cases[i] as (typeof cases)[number];
    const head = answer.slice(0, answer.indexOf("\r\n\r\n"));
    expect(head, JSON.stringify(bytes.toString("latin1").slice(0, 60))).toMatch(expected);
    expect(answer).not.toContain("passwd");
  });
  expect((await ask(`${url}metrics`)).status).toBe(200);
});

test("no more connections than allowed, and places come free again", async () => {
  const { url, port } = await serve({ maxConnections: 2 });
  const taken = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1")];
  await Promise.all(taken.map((socket) => new Promise((resolve) => socket.once("connect", resolve))));
  // Turned away without a word: the listener of the server counts those it accepted.
  await expect(ask(`${url}ready`)).rejects.toThrow();
  for (const socket of taken) socket.destroy();
  for (;;) {
    const answer = await ask(`${url}ready`).catch(() => undefined);
    if (answer?.status === 200) break;
  }
});

test("close: answers what is under way, ends listeners with a word, lets nobody in; twice is once", async () => {
  let answer = (): void => {};
  let asked = 0;
  const { server, url } = await serve({}, () => {
    asked++;
    if (asked === 1) return documentWith();
    return new Promise((resolve) => {
      answer = () => resolve(documentWith());
    });
  });
  const listener = await Listener.open(`${url}events`);
  expect((await listener.next())?.event).toBe("state");
  const slow = ask(`${url}metrics`);
  await until(() => asked === 2);
  const closing = server.close();
  expect(server.close()).toBe(closing);
  expect(await listener.next()).toEqual({ event: "closing", data: "{}" });
  expect(await listener.next()).toBeUndefined();
  await expect(ask(`${url}metrics`)).rejects.toThrow(/ECONNREFUSED|ECONNRESET/);
  answer();
  expect(await slow).toMatchObject({ status: 200, headers: { connection: "close" } });
  await closing;
  await expect(createTelemetryServer(documentWith()).close()).resolves.toBeUndefined();
});

test("close: what does not end in time is ended, idle and half-open connections included", async () => {
  let asked = false;
  const { server, url, port } = await serve({ closeTimeoutMs: 100 }, () => {
    asked = true;
    return new Promise(() => {});
  });
  const stuck = ask(`${url}metrics`).catch((error: Error) => error);
  const half = connect(port, "127.0.0.1", () => half.write("GET /metr"));
  half.on("error", () => {});
  const ended = new Promise((resolve) => half.once("close", resolve));
  await new Promise((resolve) => half.once("connect", resolve));
  await until(() => asked);
  await server.close();
  expect(await stuck).toBeInstanceOf(Error);
  await ended;
});

test("a closed server does not listen, and a taken port is the system's error", async () => {
  const { server, port } = await serve();
  const second = createTelemetryServer(documentWith(), { port });
  await expect(second.listen()).rejects.toMatchObject({ code: "EADDRINUSE" });
  await second.close();
  await server.close();
  await expect(createAndClose().listen()).rejects.toBeInstanceOf(InvalidValueError);
});

function createAndClose(): TelemetryServer {
  const server = createTelemetryServer(documentWith());
  void server.close();
  return server;
}

test("await using closes it", async () => {
  let url = "";
  {
    await using server = createTelemetryServer(documentWith());
    url = (await server.listen()).url;
    expect((await ask(`${url}ready`)).status).toBe(200);
  }
  await expect(ask(`${url}ready`)).rejects.toThrow(/ECONNREFUSED/);
});

test("mounted into another server: its own paths only, the rest is the application's", async () => {
  const handler = createTelemetryHandler(leakyHeap().reader, { basePath: "/telemetry" });
  const telemetry = createNodeListener(handler);
  const application = createServer((request, response) =>
    telemetry(request, response, () => response.end(`application ${request.url}`)),
  );
  await new Promise<void>((resolve) => application.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(application.address() as AddressInfo).port}`;
  expect((await ask(`${url}/metrics`)).body).toBe("application /metrics");
  expect((await ask(`${url}/telemetry/other?x`)).body).toBe("application /telemetry/other?x");
  expect((await ask(`${url}/telemetry/metrics?x`)).body).toContain("temporal_slab_build_info");
  expect((await ask(`${url}/telemetry/metrics`, { method: "POST", body: "x".repeat(100_000) })).status).toBe(
    405,
  );
  expect((await ask(`${url}/telemetry`)).headers.location).toBe("./telemetry/");
  const listener = await Listener.open(`${url}/telemetry/events`);
  expect((await listener.next())?.event).toBe("state");
  await handler.close();
  expect((await listener.next())?.event).toBe("closing");
  expect(await ask(`${url}/telemetry/ready`)).toMatchObject({
    status: 503,
    headers: { connection: "close" },
  });
  expect((await ask(`${url}/`)).body).toBe("application /");
  application.close();
});

test("mounted by a router that takes the mount's path off", async () => {
  const telemetry = createNodeListener(createTelemetryHandler(leakyHeap().reader));
  // As Express does for app.use("/mount", ...).
  const application = createServer((request, response) => {
    const originalUrl = request.url ?? "/";
    const url = originalUrl.replace(/^\/mount/, "");
    Object.assign(request, { originalUrl, url: url.startsWith("/") ? url : `/${url}` });
    telemetry(request, response);
  });
  await new Promise<void>((resolve) => application.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(application.address() as AddressInfo).port}/mount`;
  expect(await ask(url)).toMatchObject({ status: 308, headers: { location: "./mount/" } });
  expect((await ask(`${url}/`)).status).toBe(200);
  expect((await ask(`${url}/ready`)).status).toBe(200);
  expect((await ask(`${url}/nothing`)).status).toBe(404);
  application.close();
});

test("a redirect stays on the site, whatever the path is called", async () => {
  const telemetry = createNodeListener(createTelemetryHandler(documentWith()));
  const application = createServer((request, response) => {
    Object.assign(request, { originalUrl: request.url, url: "/" });
    telemetry(request, response);
  });
  await new Promise<void>((resolve) => application.listen(0, "127.0.0.1", resolve));
  const { port } = application.address() as AddressInfo;
  for (const path of ["/https:evil.example", "/a/https:evil.example", "/javascript:x", "/x:y", "/\\evil"]) {
    const text = await raw(port, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    const location = /^location: (.*)$/im.exec(text)?.[1] ?? "";
    expect(location).toMatch(/^\.\/.*\/$/);
    // As RFC 3986 and browsers read it.
    const { origin } = new URL(location, `http://service.example${path}`);
    expect([path, origin]).toEqual([path, "http://service.example"]);
  }
  application.close();
});

test("only the handlers of this package are mounted", () => {
  for (const handler of [undefined, {}, { fetch: () => {} }]) {
    expect(() => createNodeListener(handler as never)).toThrow(InvalidTypeError);
  }
});
