/**
 * Defends: every option is checked before anything starts, with an error that names the option and what is allowed;
 * misspelt ones are refused; secrets are never repeated.
 * Method: one row for each option and each kind of wrong value.
 */
import { describe, expect, test } from "vitest";
import {
  createTelemetryHandler,
  createTelemetryServer,
  type TelemetryHandlerOptions,
  type TelemetryServerOptions,
} from "../../src/http.js";
import { InvalidTypeError, InvalidValueError } from "../../src/index.js";
import { documentWith } from "../stats/diagnostics/builder.js";

const source = documentWith();
const NUMBERS: Record<string, [min: number, max: number]> = {
  healthWindowMs: [100, 2 ** 31 - 1],
  intervalMs: [100, 3_600_000],
  maxEventClients: [0, 10_000],
  slowClientMs: [100, 2 ** 31 - 1],
  snapshotMaxAgeMs: [0, 60_000],
  snapshotTimeoutMs: [1, 2 ** 31 - 1],
  closeTimeoutMs: [0, 2 ** 31 - 1],
};
const SERVER_NUMBERS: typeof NUMBERS = {
  port: [0, 65_535],
  maxConnections: [1, 65_535],
  maxHeaderBytes: [1024, 1_048_576],
  headersTimeoutMs: [100, 2 ** 31 - 1],
  requestTimeoutMs: [5000, 2 ** 31 - 1],
};

const handler = (options: unknown) => () =>
  createTelemetryHandler(source, options as TelemetryHandlerOptions);
const server = (options: unknown) => () => createTelemetryServer(source, options as TelemetryServerOptions);

test.each(Object.entries({ ...NUMBERS, ...SERVER_NUMBERS }))("%s", (name, [min, max]) => {
  const doors = name in NUMBERS ? [handler, server] : [server];
  for (const door of doors) {
    for (const value of [min - 1, max + 1, min + 0.5, Number.NaN, Infinity]) {
      expect(door({ [name]: value })).toThrow(InvalidValueError);
    }
    for (const value of ["100", null, {}, true, 100n])
      expect(door({ [name]: value })).toThrow(InvalidTypeError);
    expect(door({ [name]: min - 1 })).toThrow(new RegExp(`"${name}".*${min}.*${max}`));
    for (const value of [min, max, undefined]) expect(door({ [name]: value })).not.toThrow();
  }
});

const ROWS: [name: string, types: unknown[], values: unknown[], good: unknown[]][] = [
  [
    "basePath",
    [1, null, {}],
    ["", "a", "/a b", "/a//b", "/../b", "/a/.", "//", "/a?b", "/ä", "/a%20"].filter((path) => path !== ""),
    ["/", "/a", "/a/", "/a/b-c.d_e~f", undefined],
  ],
  [
    "token",
    [1, null, {}, ["12345678"]],
    ["", "1234567", "12345678 9", "1234567\n8", "1234=5678", "ünicode-token", "x".repeat(513)],
    ["12345678", "abc-._~+/=====", "x".repeat(512), undefined],
  ],
  ["protectProbes", ["yes", 1, null], [], [true, false, undefined]],
  [
    "allowedHosts",
    ["localhost", [], [1], null, {}],
    [
      ["localhost:80"],
      ["1.2.3.4:8080"],
      ["cafe.de:80"],
      ["ab:80"],
      ["1:2:3"],
      ["[localhost]"],
      ["a b"],
      ["http://a"],
      ["[::1]:80"],
      [""],
    ],
    [["localhost"], ["A.example", "::1", "[::1]", "10.0.0.1"], undefined],
  ],
  [
    "thresholds",
    [1, null, { leakThreshold: 1 }, { slowPathWarnPct: "5" }],
    [{ slowPathWarnPct: 101 }, { slowPathWarnPct: 50 }],
    [{}, { slowPathWarnPct: 10 }, undefined],
  ],
  [
    "prometheus",
    [1, null, { previous: source }, { thresholds: {} }, { prefx: "x" }, { eraLabel: 1 }],
    [{ prefix: "9" }, { maxLabels: 1 }, { leakThresholdSec: -1 }],
    [{}, { prefix: "x_", maxLabels: 3 }, undefined],
  ],
];

describe.each(ROWS)("%s", (name, types, values, good) => {
  test("is checked", () => {
    for (const door of [handler, server]) {
      for (const value of types) expect(door({ [name]: value }), String(value)).toThrow(InvalidTypeError);
      for (const value of values) expect(door({ [name]: value }), String(value)).toThrow(InvalidValueError);
      for (const value of good) expect(door({ [name]: value }), String(value)).not.toThrow();
    }
  });
});

test("host and allowUnauthenticated", () => {
  for (const host of [1, null, {}]) expect(server({ host })).toThrow(InvalidTypeError);
  for (const host of ["", "a b", "127.0.0.1:80", "localhost:80", "cafe:80", "http://a", "[::1]:80", "[a]"]) {
    expect(server({ host }), host).toThrow(InvalidValueError);
    expect(server({ host }), host).toThrow(/"host".*without port/);
  }
  for (const host of ["localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]", "x.localhost", undefined]) {
    expect(server({ host }), host).not.toThrow();
  }
  for (const value of ["yes", 1, null])
    expect(server({ allowUnauthenticated: value })).toThrow(InvalidTypeError);
});

test("options that are none, and names that are none", () => {
  for (const door of [handler, server]) {
    for (const options of [null, 1, "x"]) expect(door(options)).toThrow(InvalidTypeError);
    expect(door({ tokn: "12345678" })).toThrow(/unknown option "tokn".*token/);
    expect(door(undefined)).not.toThrow();
  }
  expect(handler({ port: 1 })).toThrow(InvalidTypeError);
});

test("prometheus: what is misspelt is named, with what the handler takes", () => {
  for (const door of [handler, server]) {
    expect(door({ prometheus: { prefx: "x" } })).toThrow(
      /"prometheus": unknown option "prefx"; known are (?!.*(previous|thresholds)).*prefix.*maxLabels/,
    );
  }
});

test("host names are the same in any case", async () => {
  const server = createTelemetryServer(source, { host: "LocalHost" });
  const ofMachine = createTelemetryServer(source, { host: "Foo.LocalHost" });
  const ask = async (host: string, { handler } = server) =>
    (await handler.fetch(new Request("http://x/ready", { headers: { host } }))).status;
  expect(await ask("localhost")).toBe(200);
  expect(await ask("foo.localhost", ofMachine)).toBe(200);
  expect(await ask("FOO.localhost:80", ofMachine)).toBe(200);
  expect(await ask("bar.localhost", ofMachine)).toBe(421);
});

test("a wrong token is not repeated in the error", () => {
  for (const token of ["my secret phrase", "geheim!!!"]) {
    expect(handler({ token })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining(token) }),
    );
  }
});
