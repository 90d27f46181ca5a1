// The fetch handler under Deno.serve or Bun.serve, and the server on the runtime's node:http: what both answered is the
// last line of the output. Run by runtimes.test.ts on each runtime, also on Node (there without the first).
import { createTelemetryHandler, createTelemetryServer } from "../../dist/http.js";
import { SlabHeap } from "../../dist/index.js";
import { StatsReader } from "../../dist/stats.js";

const heap = SlabHeap.create({ capacity: 1024 * 1024 });
const domain = heap.openDomain({ label: "visitor" });
domain.alloc(100);
const reader = StatsReader.open(heap);
const options = {
  allowedHosts: ["127.0.0.1"],
  intervalMs: 100,
  maxEventClients: 1,
  token: "0123456789",
  basePath: "/t",
};

const handler = createTelemetryHandler(reader, options);
const door = open();
const answered = { runtime: door.runtime, fetch: door.url === undefined ? null : await visit(door.url) };
await handler.close();
await door.close();

const server = createTelemetryServer(reader, options);
const { url } = await server.listen();
answered.server = await visit(url.slice(0, -1));
answered.closing = await lastEvent(url);
console.log(JSON.stringify(answered));
// Held until here: a heap that nobody holds is given up.
domain.exit();

function open() {
  if (globalThis.Deno !== undefined) {
    const service = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, handler.fetch);
    return {
      runtime: "deno",
      url: `http://127.0.0.1:${service.addr.port}/t`,
      close: () => service.shutdown(),
    };
  }
  if (globalThis.Bun !== undefined) {
    const service = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: handler.fetch });
    return { runtime: "bun", url: `http://127.0.0.1:${service.port}/t`, close: () => service.stop(true) };
  }
  return { runtime: "node", url: undefined, close: async () => {} };
}

async function visit(base) {
  const headers = { authorization: "Bearer 0123456789" };
  const get = async (path, init = { headers }) => {
    const response = await fetch(base + path, init);
    return { status: response.status, text: await response.text(), headers: response.headers };
  };
  const probe = async () => {
    const aborter = new AbortController();
    const { status } = await fetch(`${base}/events`, { headers, signal: aborter.signal });
    aborter.abort();
    return status;
  };
  const metrics = await get("/metrics");
  const stats = await get("/stats.json");
  const page = await get("/", {});
  const events = await fetch(`${base}/events`, { headers });
  const stream = events.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (text.split("event: state").length < 3) text += (await stream.read()).value ?? "event: ended";
  await stream.cancel();
  // The only place is taken until the service notices that its listener has gone.
  while ((await probe()) !== 200);
  return {
    metrics: metrics.status,
    isMetrics: /^temporal_slab_epoch_refcount\{epoch="0",state="ACTIVE",label="visitor"\} 1$/m.test(
      metrics.text,
    ),
    type: metrics.headers.get("content-type"),
    stats: JSON.parse(stats.text).epochs[0].label,
    health: (await get("/health", {})).status,
    ready: (await get("/ready", {})).status,
    page: [
      page.status,
      page.headers.get("content-security-policy").startsWith("default-src 'none'; script-src 'sha256-"),
    ],
    stranger: (await get("/metrics", {})).status,
    post: (await get("/metrics", { method: "POST", headers, body: "x" })).status,
    head: (await get("/metrics", { method: "HEAD", headers })).text,
    nothing: (await get("/nothing")).status,
    slashless: (await fetch(base, { redirect: "manual" })).headers.get("location"),
    states: /^retry: \d+\n\nevent: state\ndata: \{"version":1,/.test(text),
  };
}

/** Closing ends the listeners with a word, and the process has nothing left to do. */
async function lastEvent(address) {
  const ask = () => fetch(`${address}events`, { headers: { authorization: "Bearer 0123456789" } });
  let events = await ask();
  while (events.status !== 200) events = await ask();
  const text = events.text();
  await new Promise((resolve) => setTimeout(resolve, 150));
  await server.close();
  return (await text).trim().split("\n\n").at(-1);
}
