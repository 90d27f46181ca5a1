/**
 * Defends: listeners of /events get one state after the other from one shared sampler that rests when nobody listens;
 * nobody's slowness, number, failure or going away touches the others or the memory.
 * Method: real connections, and a source that counts how often it is asked.
 */
import { expect, test } from "vitest";
import {
  createTelemetryHandler,
  type LiveState,
  type TelemetryServerOptions,
  type TelemetrySource,
} from "../../src/http.js";
import { documentWith } from "../stats/diagnostics/builder.js";
import { deafListener, Listener, leakyHeap, type ServerEvent, serve, until } from "./support.js";

async function serveEvents(source: TelemetrySource, options: TelemetryServerOptions = {}) {
  const { server, url, port } = await serve({ intervalMs: 100, closeTimeoutMs: 200, ...options }, source);
  return { server, port, events: `${url}events` };
}

const stateOf = (event: ServerEvent | undefined): LiveState => {
  expect(event?.event).toBe("state");
  return JSON.parse(event?.data ?? "") as LiveState;
};

test("state follows state, with rates from the second on", async () => {
  const { heap, reader } = leakyHeap();
  const { events } = await serveEvents(reader, { thresholds: { leakThresholdSec: 0 } });
  const listener = await Listener.open(events);
  expect(listener.headers).toMatchObject({
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  });
  const first = stateOf(await listener.next());
  expect(listener.text).toMatch(/^retry: \d+\n\n/);
  expect(first).toMatchObject({ version: 1, source: "temporal-slab", rates: null, leakCount: 1 });
  expect(first.leaks[0]).toMatchObject({ kind: "domain", label: "forgotten", refcount: 1 });
  for (let i = 0; i < 500; i++) heap.free(heap.alloc(64));
  let allocated = 0;
  while (allocated < 499.5) {
    const { rates } = stateOf(await listener.next());
    expect(rates?.seconds).toBeGreaterThan(0);
    allocated += (rates?.allocsPerSec ?? 0) * (rates?.seconds ?? 0);
  }
  expect(allocated).toBeCloseTo(500, 3);
});

test("all listeners get the same text, from one sampler", async () => {
  let asked = 0;
  const { reader } = leakyHeap();
  const { events } = await serveEvents(() => {
    asked++;
    return reader.snapshot();
  });
  const listeners = await Promise.all(Array.from({ length: 10 }, () => Listener.open(events)));
  const before = asked;
  const seen = await Promise.all(
    listeners.map(async (listener) => {
      const texts = new Set<string>();
      for (let i = 0; i < 5; i++) texts.add((await listener.next())?.data ?? "ended");
      return texts;
    }),
  );
  // Ten times five texts, and hardly more different ones than one listener's.
  expect(new Set(seen.flatMap((texts) => [...texts])).size).toBeLessThanOrEqual(asked);
  expect(asked - before).toBeLessThan(10);
});

test("the sampler rests when the last listener has gone, and wakes for the next", async () => {
  let asked = 0;
  const { events } = await serveEvents(() => {
    asked++;
    return documentWith();
  });
  expect(asked).toBe(0);
  const listener = await Listener.open(events);
  await listener.next();
  listener.leave();
  // At rest: the same count over several intervals.
  for (;;) {
    const before = asked;
    await new Promise((resolve) => setTimeout(resolve, 400));
    if (asked === before) break;
  }
  const resting = asked;
  const next = await Listener.open(events);
  stateOf(await next.next());
  expect(asked).toBeGreaterThan(resting);
});

test("no more listeners than allowed; a place comes free when one goes", async () => {
  const { events } = await serveEvents(documentWith(), { maxEventClients: 2 });
  const [first] = await Promise.all([Listener.open(events), Listener.open(events)]);
  const third = await Listener.open(events);
  expect([third.status, third.headers["retry-after"]]).toEqual([503, "5"]);
  first.leave();
  for (;;) {
    const again = await Listener.open(events);
    if (again.status === 200) break;
  }
});

test("a listener that reads nothing is dropped; the others do not notice", async () => {
  // Large enough to fill the buffers of a connection within a few events.
  const epochs = leakyHeap().reader.snapshot().epochs;
  const label = "x".repeat(200_000);
  const source = () =>
    documentWith({ epoch_count: 16, epochs: epochs.map((epoch) => ({ ...epoch, label })) });
  const { server, port, events } = await serveEvents(source, { slowClientMs: 300, maxEventClients: 2 });
  const well = await Listener.open(events);
  const deaf = await deafListener(port);
  let dropped = false;
  deaf.on("error", () => {});
  deaf.once("close", () => {
    dropped = true;
  });
  // Its place is free again although it never said anything.
  for (;;) {
    stateOf(await well.next());
    const probe = await Listener.open(events);
    probe.leave();
    if (probe.status === 200) break;
  }
  deaf.resume();
  await until(() => dropped);
  stateOf(await well.next());
  await server.close();
});

test("a source that fails is an event, and the next state comes when it is well", async () => {
  let broken = true;
  const { events } = await serveEvents(() => {
    if (broken) throw new Error("gone\nfor now");
    return documentWith();
  });
  const listener = await Listener.open(events);
  expect(await listener.next()).toEqual({
    event: "unavailable",
    data: JSON.stringify({ reason: "gone\nfor now" }),
  });
  broken = false;
  let event = await listener.next();
  while (event?.event === "unavailable") event = await listener.next();
  stateOf(event);
});

test("through the fetch door: events, back-pressure, cancelling, closing", async () => {
  let asked = 0;
  const handler = createTelemetryHandler(
    () => {
      asked++;
      return documentWith();
    },
    { intervalMs: 100, maxEventClients: 1 },
  );
  const open = () => handler.fetch(new Request("http://localhost/events"));
  const response = await open();
  expect(response.headers.get("content-type")).toContain("text/event-stream");
  expect((await open()).status).toBe(503);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const text = async (): Promise<string> => new TextDecoder().decode((await reader.read()).value);
  expect(await text()).toMatch(/^retry: /);
  expect(await text()).toMatch(/^event: state\ndata: \{.*\}\n\n$/);
  // Nothing is read: what waits in the stream stays bounded however many events pass.
  await until(() => asked > 8);
  await reader.cancel();
  const second = await open();
  expect(second.status).toBe(200);
  await handler.close();
  expect(await second.text()).toMatch(/event: closing\ndata: \{\}\n\n$/);
  expect((await open()).status).toBe(503);
});
