/**
 * Defends: every kind of source hands on the document byte for byte, of both shapes of the C allocator too; what cannot be
 * read is answered with exit code 2 and a line that says what to do.
 * Method: `tslab stats --json` in child processes against real files, pipes, commands and HTTP servers, whose documents have
 * spacing and digits that no parser and printer would keep.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CommandStreams } from "../../../src/cli/command.js";
import { readStdin } from "../../../src/cli/sources/file.js";
import { type DocumentFolder, documentFolder } from "../documents.js";
import { runCli, startCli } from "../run-cli.js";

const NAMES = ["stats.json", "c-dump.json", "c-bench.json"];
const NEVER = "standard input must not be read";
let folder: DocumentFolder;
let server: Server;
let base: string;
/** Where nobody listens. */
let closed: string;
const texts = new Map<string, string>();

/** What the server does, by path. */
const answers: Readonly<Record<string, RequestListener>> = {
  "/stats.json": (_, response) => response.end(texts.get("stats.json")),
  "/bench": (_, response) => response.end(texts.get("c-bench.json")),
  "/mounted": (_, response) => response.setHeader("content-type", "text/html; charset=utf-8").end("<html>"),
  "/mounted/stats.json": (_, response) => response.end(texts.get("c-dump.json")),
  "/page": (_, response) => response.setHeader("content-type", "text/html").end("<!doctype html>"),
  "/metrics": (_, response) => response.end("# HELP a b\n"),
  "/moved": (_, response) => response.writeHead(302, { location: "/bench" }).end(),
  "/slow": () => {},
  "/broken": (_, response) => response.writeHead(500, "Out of \u00e4order").end("no"),
  "/secret": ({ headers }, response) => {
    const isRight = headers.authorization === "Bearer open-sesame";
    if (isRight) response.end(texts.get("stats.json"));
    else response.writeHead(401).end();
  },
  "/endless": (_, response) => {
    const chunk = Buffer.alloc(2 ** 20, 0x20);
    const more = (): void => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on("drain", more);
    more();
  },
};

beforeAll(async () => {
  folder = documentFolder();
  for (const name of NAMES) {
    // Odd spacing, a number beyond 2^53 with all its digits, no line end.
    const text = readFileSync(folder.file(name), "utf8").replace('"pid":', '"pid"\t :').trimEnd();
    texts.set(name, `${text} `);
    folder.write(name, `${text} `);
  }
  server = createServer((request, response) => {
    const answer = answers[new URL(request.url ?? "", "http://h").pathname];
    if (answer === undefined) response.writeHead(404).end();
    else answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const gone = createServer();
  await new Promise<void>((resolve) => gone.listen(0, "127.0.0.1", resolve));
  closed = `http://127.0.0.1:${(gone.address() as AddressInfo).port}`;
  gone.close();
});

afterAll(() => {
  server.close();
  server.closeAllConnections();
  folder.remove();
});

const stats = (args: readonly string[], world: Parameters<typeof runCli>[2] = {}) =>
  runCli(["stats", "--json", ...args], undefined, { cwd: folder.path, input: NEVER, ...world });

describe("byte for byte", () => {
  it.each(NAMES)("%s from a file, a pipe, a command and the variable", async (name) => {
    const text = texts.get(name) as string;
    expect(text).toMatch(/\d{14,}/);
    const same = { code: 0, stdout: text, stderr: "" };
    const results = await Promise.all([
      stats([name]),
      stats(["--stdin"], { input: text }),
      stats(["-"], { input: text }),
      stats(["--exec", `cat ${name}; echo noise >&2`]),
      stats([], { env: { TSLAB_SOURCE: name } }),
      stats([], { env: { TSLAB_SOURCE: `exec:cat ${name}` } }),
      stats([], { env: { TSLAB_SOURCE: "-" }, input: text }),
    ]);
    for (const result of results) expect(result).toEqual(same);
  });

  it.each([
    ["", "stats.json"],
    ["/", "stats.json"],
    ["/bench", "c-bench.json"],
    ["/mounted", "c-dump.json"],
    ["/moved", "c-bench.json"],
  ])("from the address %s", async (path, name) => {
    const url = `${base}${path}`;
    const results = await Promise.all([stats(["--url", url]), stats([], { env: { TSLAB_SOURCE: url } })]);
    for (const result of results) expect(result).toEqual({ code: 0, stdout: texts.get(name), stderr: "" });
  });

  it("sends the token of option or variable", async () => {
    const url = `${base}/secret`;
    const results = await Promise.all([
      stats(["--url", url, "--token", "open-sesame"]),
      stats(["--url", url], { env: { TSLAB_TOKEN: "open-sesame" } }),
    ]);
    for (const result of results) expect(result.stdout).toBe(texts.get("stats.json"));
  });

  it("keeps a byte order mark", async () => {
    const text = `\uFEFF${texts.get("stats.json")}`;
    expect(await stats(["-"], { input: text })).toEqual({ code: 0, stdout: text, stderr: "" });
  });
});

describe("what cannot be read", () => {
  const cases: readonly [args: string[], message: RegExp][] = [
    [["nope.json"], /^nope.json: no such file$/],
    [["."], /^\.: is a folder; name the file in it$/],
    [["x\u001b[2Jy"], /^x\\u\{1b\}\[2Jy: no such file$/],
    [["--exec", "exit 3"], /^exec:exit 3: the command ended with exit code 3$/],
    [
      ["--exec", "printf 'a\\033[2J\\nb\\n' >&2; kill -9 $$"],
      /was ended by SIGKILL:\n {2}a\\u\{1b\}\[2J\n {2}b$/,
    ],
    [["--exec", "sleep 30 & sleep 30", "--timeout", "200ms"], /not done within 200ms; see --timeout$/],
    [["--exec", "true"], /^exec:true: empty; expected a stats document$/],
    [["--exec", "yes"], /^exec:yes: more than 64 MiB/],
    [["--exec", "printf '\\377'"], /not UTF-8 text/],
    [["--exec", "echo '{\"schema_version\": 2}'"], /schema_version is 2; it must be 1/],
    [["--exec", "echo '[1'"], /malformed JSON at position/],
    [["--url", "CLOSED"], /nobody listens there; is the service running, and is the port right\?$/],
    [["--url", "BASE/nope"], /the server answered 404 Not Found; the document is usually at \/stats.json$/],
    [["--url", "BASE/page"], /page\/stats.json: the server answered 404/],
    [["--url", "BASE/metrics"], /this is Prometheus text: the document is at \/stats.json$/],
    [["--url", "BASE/broken"], /the server answered 500 Out of \S+order$/],
    [["--url", "BASE/slow", "--timeout", "200ms"], /no answer within 200ms; see --timeout$/],
    [["--url", "BASE/secret"], /the server answered 401 Unauthorized; give the server's token with --token/],
    [["--url", "BASE/endless"], /more than 64 MiB/],
  ];
  it.concurrent.each(cases)("%j", async (args, message) => {
    const real = args.map((arg) => arg.replace("BASE", base).replace("CLOSED", closed));
    const { code, stdout, stderr } = await stats(real);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^tslab: stats: /);
    expect(stderr.slice("tslab: stats: ".length).trimEnd()).toMatch(message);
    expect(code).toBe(2);
  });

  it("says that standard input was empty", async () => {
    const { code, stderr } = await stats(["--stdin"], { input: "" });
    expect(stderr).toMatch(/^tslab: stats: standard input: empty; does the command before the pipe/);
    expect(code).toBe(2);
  });
});

it.each(["SIGINT", "SIGTERM"] as const)("takes the command along when %s ends it", async (signal) => {
  const child = startCli(["stats", "--exec", "echo $$; sleep 60 & echo $! >&2; echo $! > sleeper; wait"], {
    cwd: folder.path,
  });
  const sleeper = await expect
    .poll(() => Number(existsSync(folder.file("sleeper")) && readFileSync(folder.file("sleeper"), "utf8")), {
      timeout: 20_000,
    })
    .toBeGreaterThan(0)
    .then(() => Number(readFileSync(folder.file("sleeper"), "utf8")));
  const ended = new Promise((resolve) => child.once("close", (_, how) => resolve(how)));
  child.kill(signal);
  expect(await ended).toBe(signal);
  rmSync(folder.file("sleeper"));
  await expect.poll(() => isAlive(sleeper), { timeout: 20_000 }).toBe(false);
});

it("says that it waits for somebody to type", async () => {
  const said: string[] = [];
  const streams = {
    in: Readable.from([Buffer.from('{"a":'), Buffer.from("1}")]),
    inIsTerminal: true,
    err: { write: (text: string) => said.push(text) },
  };
  expect(await readStdin(streams as unknown as CommandStreams)).toBe('{"a":1}');
  expect(said).toEqual(["tslab: waiting for a stats document on standard input; Ctrl-D ends it\n"]);
});

/** A process that has ended but was not waited for by its parent, which is gone, does not count. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

it("runs a demo when nothing is named, and says so", async () => {
  const { code, stdout, stderr } = await stats([]);
  expect(code).toBe(0);
  expect(stderr).toMatch(/^tslab: demo run of the burst pattern on a heap of its own \(name a FILE/);
  const document = JSON.parse(stdout);
  expect(document.heap.alloc_count).toBeGreaterThan(0);
  expect(document.workers.length).toBeGreaterThan(1);
});
