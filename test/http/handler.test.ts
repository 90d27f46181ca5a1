/**
 * Defends: each endpoint answers what it is for, from one shared snapshot, exactly; only exact paths, GET and HEAD,
 * known hosts and tokens get data; a source that fails is reported and nothing else happens.
 * Method: requests through the fetch door, and what must be equal computed from the documents handed in.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  createTelemetryHandler,
  type TelemetryHandlerOptions,
  type TelemetrySource,
} from "../../src/http.js";
import { InvalidTypeError } from "../../src/index.js";
import { parseJsonExact, readStats, type StatsDocument, stringifyStats } from "../../src/stats.js";
import { PROMETHEUS_CONTENT_TYPE, prometheusText } from "../../src/telemetry.js";
import { documentWith, epochRow, heapRow, NOW_NS } from "../stats/diagnostics/builder.js";
import { leakyHeap, until } from "./support.js";

const ORIGIN = "http://service.example:2112";

function door(source: TelemetrySource, options?: TelemetryHandlerOptions) {
  const handler = createTelemetryHandler(source, options);
  return async (path: string, init: RequestInit = {}) => {
    const response = await handler.fetch(new Request(ORIGIN + path, init));
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
}

const FULL = heapRow({ capacity_bytes: 1000, committed_bytes: 990 });
const PATHS = ["/", "/metrics", "/stats.json", "/stats", "/health", "/health/detailed", "/ready", "/events"];
const DATA = PATHS.filter((path) => path !== "/" && path !== "/events");

describe("endpoints", () => {
  const document = leakyHeap().reader.snapshot();

  test("/metrics is the exposition of the snapshot", async () => {
    const { status, headers, text } = await door(document)("/metrics");
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe(PROMETHEUS_CONTENT_TYPE);
    expect(text).toBe(prometheusText(document));
    expect(text).toMatch(/^temporal_slab_epoch_refcount\{epoch="0",state="CLOSING",label="forgotten"\} 1$/m);
  });

  test("its options and thresholds reach it", async () => {
    const prometheus = { prefix: "x_", eraLabel: true };
    const { text } = await door(document, { prometheus, thresholds: { leakThresholdSec: 0 } })("/metrics");
    expect(text).toMatch(/^x_epoch_refcount\{epoch="0",era="\d+",state="CLOSING",label="forgotten"\} 1$/m);
    expect(text).toMatch(/^x_leak_candidates 1$/m);
    expect((await door(document)("/metrics")).text).toMatch(/^temporal_slab_leak_candidates 0$/m);
  });

  test.each(["/stats.json", "/stats"])("%s keeps every digit", async (path) => {
    const odd = { ...document, timestamp_ns: 2n ** 63n + 1n, total_slow_path_hits: 2n ** 60n + 1n };
    const { status, headers, text } = await door(odd)(path);
    expect([status, headers.get("content-type")]).toEqual([200, "application/json; charset=utf-8"]);
    expect(text).toBe(`${stringifyStats(odd)}\n`);
    expect(parseJsonExact(text)).toMatchObject({
      timestamp_ns: 2n ** 63n + 1n,
      total_slow_path_hits: 2n ** 60n + 1n,
    });
    expect(readStats(text).epochs).toEqual(odd.epochs);
  });

  test("health: components in detail only; a leak degrades it and ends neither life nor readiness", async () => {
    const get = door(document, { thresholds: { leakThresholdSec: 0 } });
    const brief = await get("/health");
    const detailed = await get("/health/detailed");
    const ready = await get("/ready");
    expect([brief.status, detailed.status, ready.status]).toEqual([200, 200, 200]);
    const { components, ...rest } = JSON.parse(detailed.text);
    expect(JSON.parse(brief.text)).toEqual(rest);
    expect(rest).toMatchObject({ status: "degraded", live: true, ready: true, version: 1 });
    expect(rest.issues).toHaveLength(1);
    expect(Object.keys(rest).sort()).toEqual(
      ["issues", "live", "ready", "status", "timestamp", "uptime", "version"].sort(),
    );
    expect(Object.keys(components)).toEqual(["heap", "slowPath", "epochs", "reclamation", "workers"]);
  });

  test("a full heap is not ready, and lives", async () => {
    const get = door(documentWith({ heap: FULL }));
    expect((await get("/ready")).status).toBe(503);
    expect((await get("/health")).status).toBe(200);
    expect((await get("/health/detailed")).status).toBe(200);
    const lenient = door(documentWith({ heap: FULL }), {
      thresholds: { heapPressureWarnPct: 100, heapPressureCriticalPct: Infinity },
    });
    expect((await lenient("/ready")).status).toBe(200);
  });

  test("a document that contradicts itself is not live", async () => {
    const get = door(documentWith({ heap: heapRow({ free_slabs: 10, slab_count: 3 }) }));
    for (const path of ["/health", "/health/detailed", "/ready"]) {
      expect((await get(path)).status).toBe(503);
    }
  });

  test("/ is the page, under a policy that runs its own script and nothing else", async () => {
    const { status, headers, text } = await door(document)("/");
    expect([status, headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(text).toMatch(/^<!doctype html>/i);
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
  });

  test("HEAD answers as GET does, without content", async () => {
    const get = door(document);
    for (const path of PATHS.filter((each) => each !== "/events")) {
      const whole = await get(path);
      const head = await get(path, { method: "HEAD" });
      expect([path, head.status, head.text]).toEqual([path, whole.status, ""]);
      expect([...head.headers]).toEqual([...whole.headers]);
      expect(Number(head.headers.get("content-length"))).toBe(Buffer.byteLength(whole.text));
    }
    const events = await get("/events", { method: "HEAD" });
    expect(events.headers.get("content-type")).toContain("text/event-stream");
  });

  test("every answer has the security headers", async () => {
    const get = door(document, { token: "long-enough-token" });
    for (const path of [...PATHS, "/nothing"]) {
      for (const method of ["GET", "HEAD", "OPTIONS", "POST"]) {
        const { headers } = await get(path, { method });
        expect(headers.get("x-content-type-options")).toBe("nosniff");
        expect(headers.get("cache-control")).toBe("no-store");
        expect(headers.get("referrer-policy")).toBe("no-referrer");
        expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
      }
    }
  });
});

describe("what is refused", () => {
  const { reader } = leakyHeap();
  const get = door(reader);

  test("methods", async () => {
    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      const { status, headers } = await get("/metrics", { method });
      expect([status, headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"]);
    }
    const options = await get("/metrics", { method: "OPTIONS" });
    expect([options.status, options.headers.get("allow"), options.text]).toEqual([
      204,
      "GET, HEAD, OPTIONS",
      "",
    ]);
    expect((await get("/nothing", { method: "POST" })).status).toBe(404);
  });

  test("bodies", async () => {
    const { status } = await get("/metrics", { headers: { "content-length": "5" } });
    expect(status).toBe(413);
    expect((await get("/metrics", { headers: { "content-length": "0" } })).status).toBe(200);
    expect((await get("/metrics", { headers: { "transfer-encoding": "chunked" } })).status).toBe(413);
  });

  test("all paths but the known ones, and none is repeated in the answer", async () => {
    await fc.assert(
      fc.asyncProperty(fc.webPath({ size: "small" }), async (path) => {
        // As a request has it: "/." is "/".
        fc.pre(!PATHS.includes(new URL(`http://localhost${path}`).pathname));
        const handler = createTelemetryHandler(reader);
        const { status, text } = await get(path);
        expect([status, handler.owns(path)]).toEqual([404, false]);
        expect(JSON.parse(text).error).toBe("not-found");
      }),
      { numRuns: 100 },
    );
    for (const path of [
      "/metrics/",
      "//metrics",
      "/%6detrics",
      "/METRICS",
      "/metrics;a",
      "/stats.json.bak",
    ]) {
      expect([path, (await get(path)).status]).toEqual([path, 404]);
    }
    const { text } = await get("/<script>alert(1)</script>?<b>");
    expect(text).not.toMatch(/script|alert|<b>/);
  });

  test("the query is not looked at", async () => {
    expect((await get("/metrics?token=x&path=/nothing#x")).status).toBe(200);
  });

  test("hosts that are not served", async () => {
    const choosy = door(reader, { allowedHosts: ["Service.Example", "[::1]"] });
    expect((await choosy("/metrics")).status).toBe(200);
    expect((await choosy("/metrics", { headers: { host: "SERVICE.example." } })).status).toBe(200);
    expect((await choosy("/metrics", { headers: { host: "[::1]:2112" } })).status).toBe(200);
    for (const host of ["evil.example", "service.example.evil.example", "service.example@evil", "::1", " "]) {
      const headers = { host };
      expect([host, (await choosy("/metrics", { headers })).status]).toEqual([host, 421]);
      expect((await choosy("/", { headers })).status).toBe(421);
    }
  });

  test("pages of other sites may not take the listeners' places", async () => {
    for (const site of ["cross-site", "same-site"]) {
      expect((await get("/events", { headers: { "sec-fetch-site": site } })).status).toBe(403);
    }
  });
});

describe("token", () => {
  const token = "tok-en_.~+/0123456789==";
  const source = documentWith({ heap: FULL, epochs: [epochRow({ refcount: 1, age_sec: 90 })] });
  const get = door(source, { token });
  const bearer = (text: string) => ({ headers: { authorization: text } });

  test("opens everything", async () => {
    for (const path of DATA) expect((await get(path, bearer(`Bearer ${token}`))).status).not.toBe(401);
    expect((await get("/metrics", bearer(`bearer  ${token}`))).status).toBe(200);
  });

  test("nothing else does", async () => {
    const wrong = fc.oneof(
      fc.string({ maxLength: 40 }).filter((text) => /^[\x20-\x7e]*$/.test(text) && text.trim() !== token),
      fc.constantFrom(token.slice(0, -1), `${token}=`, `${token} x`, "x".repeat(600), ""),
    );
    await fc.assert(
      fc.asyncProperty(wrong, fc.constantFrom("Bearer ", "Basic ", ""), async (text, scheme) => {
        fc.pre(!/^bearer\s/i.test(text));
        const { status, headers } = await get("/stats.json", bearer(scheme + text));
        expect([status, headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="temporal-slab"']);
      }),
      { numRuns: 200 },
    );
    for (const path of ["/metrics", "/stats", "/stats.json", "/health/detailed", "/events"]) {
      expect([path, (await get(path)).status]).toEqual([path, 401]);
    }
    expect((await get(`/metrics?token=${token}`)).status).toBe(401);
  });

  test("probes are answered without one, in as few words as possible", async () => {
    expect(JSON.parse((await get("/health")).text)).toEqual({
      status: "unhealthy",
      live: true,
      ready: false,
      timestamp: expect.any(String),
    });
    expect((await get("/ready")).status).toBe(503);
    const known = JSON.parse((await get("/ready", bearer(`Bearer ${token}`))).text);
    expect(known.issues.length).toBeGreaterThan(0);
  });

  test("unless they are protected", async () => {
    const strict = door(source, { token, protectProbes: true });
    for (const path of ["/health", "/ready"]) expect((await strict(path)).status).toBe(401);
    expect((await strict("/")).status).toBe(200);
  });
});

describe("sources", () => {
  test("that fail are reported: 503 with the reason, liveness included, and the next request is answered", async () => {
    let fault: (() => StatsDocument | Promise<StatsDocument>) | undefined;
    const get = door(() => fault?.() ?? documentWith(), { snapshotMaxAgeMs: 0 });
    const faults: [() => StatsDocument | Promise<StatsDocument>, RegExp][] = [
      [
        () => {
          throw new Error("the buffer is gone");
        },
        /the buffer is gone/,
      ],
      [() => Promise.reject("no route"), /no route/],
      [() => JSON.parse(stringifyStats(documentWith())), /must be a stats document/],
    ];
    for (const [broken, reason] of faults) {
      fault = broken;
      for (const path of DATA) {
        const { status, text } = await get(path);
        expect([path, status]).toEqual([path, 503]);
        expect(text).toMatch(reason);
      }
      expect((await get("/")).status).toBe(200);
      fault = undefined;
      expect((await get("/metrics")).status).toBe(200);
    }
  });

  test("are not told to strangers when they fail", async () => {
    const get = door(() => Promise.reject(new Error("/etc/secret is not readable")), { token: "12345678" });
    const { status, text } = await get("/health");
    expect(status).toBe(503);
    expect(text).not.toContain("secret");
  });

  test("are asked once for requests at the same time, and again for later ones", async () => {
    let asked = 0;
    let atOnce = 0;
    const get = door(
      async () => {
        asked++;
        expect(++atOnce).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 20));
        atOnce--;
        return documentWith();
      },
      { snapshotMaxAgeMs: 0 },
    );
    await Promise.all([...DATA, ...DATA].map((path) => get(path)));
    expect(asked).toBe(1);
    await get("/metrics");
    expect(asked).toBe(2);
    const lasting = door(
      () => {
        asked++;
        return documentWith();
      },
      { snapshotMaxAgeMs: 60_000 },
    );
    for (const path of DATA) await lasting(path);
    expect(asked).toBe(3);
  });

  test("that fail are not asked more often than those that work", async () => {
    let asked = 0;
    let fails = true;
    const get = door(
      () => {
        asked++;
        if (fails) throw new Error("no heap");
        return documentWith();
      },
      { snapshotMaxAgeMs: 60_000 },
    );
    for (const path of DATA) expect((await get(path)).status).toBe(503);
    expect(asked).toBe(1);
    fails = false;
    await expect.poll(async () => (await get("/metrics")).status, { timeout: 20_000 }).toBe(200);
    expect(asked).toBe(2);
  });

  test("that are slow are not asked again before they have answered", async () => {
    let asked = 0;
    let answer = (_: StatsDocument): void => {};
    const get = door(
      () => {
        asked++;
        return new Promise((resolve) => {
          answer = resolve;
        });
      },
      { snapshotMaxAgeMs: 0, snapshotTimeoutMs: 20 },
    );
    for (const path of [...DATA, ...DATA]) {
      const { status, text } = await get(path);
      expect([path, status]).toEqual([path, 503]);
      expect(text).toMatch(/within 20 ms/);
    }
    expect(asked).toBe(1);
    answer(documentWith());
    await new Promise((resolve) => setTimeout(resolve));
    const next = get("/metrics");
    await until(() => asked === 2);
    answer(documentWith());
    await next;
  });

  test("may change a document in place: what was made of it is shared as long as the snapshot, and no longer", async () => {
    for (const snapshotMaxAgeMs of [0, 60_000]) {
      const mutable = { ...documentWith() };
      const get = door(() => mutable, { snapshotMaxAgeMs });
      const paths = ["/metrics", "/stats.json"];
      mutable.total_slow_path_hits = 1;
      const before = await Promise.all(paths.map(async (path) => (await get(path)).text));
      mutable.total_slow_path_hits = 987_654_321;
      const after = await Promise.all(paths.map(async (path) => (await get(path)).text));
      if (snapshotMaxAgeMs > 0) expect(after).toEqual(before);
      else for (const text of after) expect(text).toContain("987654321");
    }
  });

  test("health is about the last seconds: old trouble passes, new trouble shows", async () => {
    const at = (second: number, refused: number): StatsDocument =>
      documentWith({
        timestamp_ns: NOW_NS + BigInt(second) * 10n ** 9n,
        heap: heapRow({ alloc_failures_out_of_memory: refused }),
      });
    let now = at(0, 5000);
    // Handed in as a reader: it is looked at once before the first request.
    const get = door({ snapshot: () => now }, { snapshotMaxAgeMs: 0 });
    now = at(5, 5000);
    expect(JSON.parse((await get("/ready")).text)).toMatchObject({ status: "ok", ready: true });
    now = at(6, 5500);
    expect(JSON.parse((await get("/ready")).text)).toMatchObject({ status: "unhealthy", ready: false });
    expect((await get("/health")).status).toBe(200);
  });

  test("of other kinds are refused", () => {
    for (const source of [undefined, null, 7, "x", {}, { snapshot: 1 }, [], { timestamp_ns: 1 }]) {
      expect(() => createTelemetryHandler(source as unknown as TelemetrySource)).toThrow(InvalidTypeError);
    }
  });
});

describe("closing", () => {
  test("waits for requests under way, refuses new ones, and can be done twice", async () => {
    let answer = (_: StatsDocument): void => {};
    const handler = createTelemetryHandler(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    const slow = handler.fetch(new Request(`${ORIGIN}/metrics`));
    let closed = false;
    const closing = handler.close().then(() => {
      closed = true;
    });
    const late = await handler.fetch(new Request(`${ORIGIN}/metrics`));
    expect([late.status, closed]).toEqual([503, false]);
    answer(documentWith());
    expect((await slow).status).toBe(200);
    await closing;
    await handler.close();
    await handler[Symbol.asyncDispose]();
  });

  test("does not wait longer than it may", async () => {
    const handler = createTelemetryHandler(() => new Promise(() => {}), { closeTimeoutMs: 10 });
    void handler.fetch(new Request(`${ORIGIN}/metrics`));
    await handler.close();
  });
});
