/** `tslab serve`: a heap's live page, metrics, document and health over HTTP. */
import { readFileSync } from "node:fs";
import { InputError, type ParsedOptions, UsageError } from "../args.js";
import { type Command, type CommandStreams, EXIT_OK } from "../command.js";
import { METRICS_OPTIONS, metricsOptions } from "../export/options.js";
import { printable } from "../format.js";
import { catchInterrupt, type Interrupt, pause } from "../interrupt.js";
import {
  openSource,
  type SampleSource,
  SOURCE_HELP,
  SOURCE_OPTIONS,
  SOURCE_POSITIONAL,
} from "../sources/index.js";
import { prepareServer } from "./server.js";

const DEFAULT_PORT = 2112;
const DEFAULT_INTERVAL_MS = 1000;
/** The server's own limit for the age of a snapshot that requests share. */
const MAX_SHARED_MS = 60_000;

export const serveCommand: Command = {
  name: "serve",
  summary: "live page, /metrics, /stats.json and health over HTTP",
  description: [
    "Serves a heap until it is ended (Ctrl-C): the live page at /, Prometheus text at /metrics, the document at",
    "/stats.json, /health, /health/detailed and /ready. The source is asked again when somebody wants to know, but not",
    "more than twice per --interval (but once a minute). Only this machine can reach it unless --host says otherwise.",
    "",
    SOURCE_HELP,
    "$TSLAB_TOKEN is the token for a --url source; --token is what this server asks for.",
  ].join("\n"),
  options: {
    ...SOURCE_OPTIONS,
    port: {
      kind: "integer",
      value: "PORT",
      short: "p",
      min: 0,
      max: 65_535,
      help: "default 2112; 0: a free one",
    },
    host: { kind: "text", value: "HOST", help: "address to listen on (default 127.0.0.1)" },
    interval: {
      kind: "duration",
      value: "TIME",
      min: 100,
      max: 3_600_000,
      help: "time between updates of the live page (default 1s)",
    },
    token: { kind: "text", value: "TEXT", secret: true, help: "bearer token that requests must bring along" },
    "token-file": { kind: "file", value: "FILE", help: "the same from a file, which other users cannot see" },
    "allow-unauthenticated": { kind: "flag", help: "with --host: let everybody read who can reach it" },
    "base-path": { kind: "text", value: "PATH", help: "serve below this path instead of /" },
    "leak-threshold": {
      kind: "duration",
      value: "TIME",
      min: 0,
      max: 1e12,
      help: "age from which on a closed epoch counts as a leak (default 60s)",
    },
    ...METRICS_OPTIONS,
  },
  positionals: [SOURCE_POSITIONAL],
  examples: [
    { run: "tslab serve --port 2112", note: "a demo run, to look around" },
    { run: "tslab serve --exec 'cat stats.json' --port 0 --interval 5s" },
    { run: "tslab serve --demo leak --leak-threshold 10s" },
  ],
  run,
};

async function run(options: ParsedOptions, streams: CommandStreams): Promise<number> {
  // Options are refused before anything is started for the source.
  let source: SampleSource;
  const prepared = prepareServer(async () => (await source.sample()).document, serverOptions(options));
  const interrupt = catchInterrupt();
  // In the order in which they are closed: the server before its source.
  const open: Closable[] = [];
  try {
    source = await openSource(options, options.positionals, streams, { live: true, tokenIsForSource: false });
    open.unshift(source);
    const server = await prepared.start();
    open.unshift(server);
    streams.out.write(announcement(server.url, source.description, streams));
    await untilEnded(interrupt);
    return EXIT_OK;
  } finally {
    await closeAll(open).finally(interrupt.off);
  }
}

interface Closable {
  close(): Promise<void>;
}

/**
 * At the same time: what a hanging command or address would still answer is not waited for. One that cannot be closed
 * does not keep the others from it; its error comes when all have ended.
 */
async function closeAll(open: readonly Closable[]): Promise<void> {
  const results = await Promise.allSettled(open.map((each) => each.close()));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

/** Sleeps in pieces: the server keeps the process alive, so this need not. */
async function untilEnded({ signal }: Interrupt): Promise<void> {
  while (await pause(2 ** 30, signal));
}

function serverOptions(options: ParsedOptions) {
  const intervalMs = options.number("interval") ?? DEFAULT_INTERVAL_MS;
  const leakThreshold = options.number("leak-threshold");
  const [host, basePath, token] = [options.text("host"), options.text("base-path"), tokenOf(options)];
  return {
    port: options.number("port") ?? DEFAULT_PORT,
    intervalMs,
    // Half of it: the page's next update never shows the same document again.
    snapshotMaxAgeMs: Math.min(MAX_SHARED_MS, Math.floor(intervalMs / 2)),
    snapshotTimeoutMs: (options.number("timeout") ?? 10_000) + 1000,
    prometheus: metricsOptions(options),
    ...(options.has("allow-unauthenticated") && { allowUnauthenticated: true }),
    ...(host !== undefined && { host }),
    ...(basePath !== undefined && { basePath }),
    ...(token !== undefined && { token }),
    ...(leakThreshold !== undefined && { thresholds: { leakThresholdSec: leakThreshold / 1000 } }),
  };
}

function tokenOf(options: ParsedOptions): string | undefined {
  const path = options.text("token-file");
  const token = options.text("token");
  if (path === undefined) return token;
  if (token !== undefined)
    throw new UsageError("--token and --token-file both give the token; leave one out");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new InputError(`--token-file: ${printable((error as Error).message)}`);
  }
  const [line = ""] = text.trim().split("\n");
  if (line === "")
    throw new InputError(`--token-file: "${printable(path)}" is empty; its first line is the token`);
  return line.trim();
}

function announcement(url: string, description: string, { colors }: CommandStreams): string {
  const rows = [
    ["live page", url],
    ["metrics", `${url}metrics`],
    ["document", `${url}stats.json`],
    ["health", `${url}health`],
  ] as const;
  const lines = rows.map(([name, address]) => `  ${name.padEnd(11)}${colors.cyan(address)}`);
  return [`Serving ${description}; Ctrl-C ends it`, ...lines, ""].join("\n");
}
