/**
 * A server, asked again for each sample.
 *
 * Which address is asked: one without a path, such as that `tslab serve` prints, gets /stats.json; any other is asked as
 * it is, and if a web page answers (the service is mounted below a path), once more with /stats.json behind it.
 */
import { InputError } from "../args.js";
import { formatDuration, printable } from "../format.js";
import { LimitedBytes } from "./document.js";
import type { TextSource } from "./types.js";

const DOCUMENT_PATH = "/stats.json";

export interface UrlOptions {
  readonly timeoutMs: number;
  readonly token: string | undefined;
}

export function urlSource(given: URL, options: UrlOptions): TextSource {
  const closing = new AbortController();
  let url = given.pathname === "/" ? below(given) : given;
  /** Once a document came, its address stays the one that is asked. */
  let settled = given.pathname === "/";

  async function read(): Promise<string> {
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(options.timeoutMs)]);
    try {
      let response = await ask(url, options.token, signal);
      if (!settled && isPage(response)) {
        await response.body?.cancel();
        url = below(given);
        response = await ask(url, options.token, signal);
      }
      const text = await textOf(response, url);
      settled = true;
      return text;
    } catch (error) {
      if (error instanceof InputError) throw error;
      throw new InputError(`${shown(url)}: ${reason(error, options.timeoutMs)}`);
    }
  }

  return {
    get description() {
      return shown(url);
    },
    live: true,
    read,
    close: async () => closing.abort(),
  };
}

function ask(url: URL, token: string | undefined, signal: AbortSignal): Promise<Response> {
  return fetch(url, {
    headers: {
      accept: "application/json",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    signal,
  });
}

async function textOf(response: Response, url: URL): Promise<string> {
  const { status, statusText } = response;
  if (!response.ok) {
    await response.body?.cancel();
    const hint = HINTS[status] ?? "";
    throw new InputError(
      `${shown(url)}: the server answered ${status} ${printable(statusText)}`.trimEnd() + hint,
    );
  }
  const bytes = new LimitedBytes(shown(url));
  for await (const chunk of response.body ?? []) bytes.add(chunk as Uint8Array);
  return bytes.text();
}

const HINTS: Readonly<Record<number, string>> = {
  401: "; give the server's token with --token or $TSLAB_TOKEN",
  403: "; is the token the right one?",
  404: `; the document is usually at ${DOCUMENT_PATH}`,
};

const isPage = (response: Response): boolean =>
  response.ok && /^text\/html\b/i.test(response.headers.get("content-type") ?? "");

function below(base: URL): URL {
  const url = new URL(base);
  url.pathname = url.pathname.replace(/\/+$/, "") + DOCUMENT_PATH;
  return url;
}

const shown = (url: URL): string => printable(url.href);

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there; is the service running, and is the port right?",
  ECONNRESET: "the server closed the connection",
  UND_ERR_SOCKET: "the server closed the connection",
  ENOTFOUND: "there is no host of that name",
  EAI_AGAIN: "the host's name could not be looked up",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the network cannot be reached",
};

function reason(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return printable(String(error));
  if (error.name === "TimeoutError") return `no answer within ${formatDuration(timeoutMs)}; see --timeout`;
  if (error.name === "AbortError") return "given up";
  // fetch wraps what happened; of several addresses tried, the first one's fault will do.
  const { cause } = error;
  const inner = cause instanceof AggregateError ? cause.errors[0] : cause;
  const { code, message } = (inner ?? error) as NodeJS.ErrnoException;
  if (message === "bad port") return "fetch never asks that port: other protocols use it";
  return REASONS[code ?? ""] ?? printable(message || error.message);
}
