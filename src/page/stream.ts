/**
 * The events of the service, for as long as somebody looks: one connection at a time, tried again with growing pauses,
 * closed while the tab is hidden or the reader has paused.
 *
 * Server-sent events over fetch rather than EventSource, which can neither send a token nor tell a refusal from a
 * network that is down.
 */
import { createEventSource, type EventSourceClient, type FetchLike } from "eventsource-client";
import { parseMessage } from "./message.js";
import { pauseBefore } from "./pause.js";
import type { Connection, Happening } from "./store.js";
import { isToken } from "./token-rule.js";

export interface StreamOptions {
  readonly url: string;
  readonly token: () => string | null;
  readonly happen: (happening: Happening) => void;
}

/** Nothing heard for so long, and the connection counts as dead. */
const SILENCE_MS = 45_000;

export class Stream {
  readonly #options: StreamOptions;
  #client: EventSourceClient | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #paused = false;
  #hidden = false;
  #locked = false;
  /** Of the connection: what an earlier one still has to say is not heard. */
  #turn = 0;

  constructor(options: StreamOptions) {
    this.#options = options;
  }

  get paused(): boolean {
    return this.#paused;
  }

  set paused(paused: boolean) {
    this.#paused = paused;
    this.#update();
  }

  set hidden(hidden: boolean) {
    this.#hidden = hidden;
    this.#update();
  }

  /** Tries at once, for instance with another token; ends a pause, for whoever asks wants to see something. */
  start(): void {
    this.#locked = false;
    this.#paused = false;
    this.#failures = 0;
    this.#update();
  }

  #update(): void {
    this.#close();
    if (this.#locked) return;
    if (this.#paused) this.#tell({ kind: "paused" });
    else if (this.#hidden) this.#tell({ kind: "hidden" });
    else this.#connect();
  }

  #connect(): void {
    const turn = ++this.#turn;
    const mine = (): boolean => turn === this.#turn;
    if (this.#failures === 0) this.#tell({ kind: "connecting" });
    const token = this.#options.token();
    // One that breaks the rule (what a tab remembers can be anything) would make every fetch throw. Asked without it,
    // the service says whether it wants one at all.
    const sent = token !== null && isToken(token) ? token : null;
    let reason = "the connection was lost";

    /** Looks at the answer before the client reads it as events. */
    const look: FetchLike = async (url, init) => {
      const response = await fetch(url, init as RequestInit);
      if (!mine()) return response;
      if (response.status === 401 || response.status === 403) {
        this.#locked = true;
        this.#close();
        this.#tell({ kind: "locked", refused: token !== null });
        throw new DOMException("a token is needed", "AbortError");
      }
      const type = response.headers.get("content-type") ?? "";
      if (response.ok && type.startsWith("text/event-stream")) return response;
      reason = refusalOf(response.status, type);
      throw new Error(reason);
    };

    this.#client = createEventSource({
      url: this.#options.url,
      fetch: look,
      headers: sent === null ? {} : { Authorization: `Bearer ${sent}` },
      credentials: "same-origin",
      onConnect: () => {
        if (mine()) this.#listen();
      },
      onComment: () => {
        if (mine()) this.#listen();
      },
      onMessage: ({ event, data }) => {
        if (!mine()) return;
        this.#listen();
        if (event === "closing") reason = "the service is shutting down";
        if (event === "unavailable") this.#open(unavailable(data));
        if (event !== undefined && event !== "state") return;
        this.#open();
        const message = parseMessage(data);
        // Not Date.now(): the clock of the machine may be set back while the page is open.
        const at = performance.timeOrigin + performance.now();
        this.#options.happen(
          message.ok ? { type: "live", live: message.live, at } : { type: "fault", reason: message.reason },
        );
      },
      // The client would try again every 2 s for ever: closed here, it leaves the pauses to us.
      onScheduleReconnect: () => {
        if (mine()) this.#later(reason);
      },
    });
  }

  #open(fault?: string): void {
    this.#failures = 0;
    this.#tell({ kind: "open" });
    if (fault !== undefined) this.#options.happen({ type: "fault", reason: fault });
  }

  /** Something came: silence is counted from now. */
  #listen(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#later("the service has fallen silent"), SILENCE_MS);
  }

  #later(reason: string): void {
    this.#close();
    const pause = pauseBefore(++this.#failures, Math.random());
    this.#tell({ kind: "reconnecting", reason, retryAt: Date.now() + pause });
    this.#retry = setTimeout(() => this.#connect(), pause);
  }

  #close(): void {
    this.#turn++;
    clearTimeout(this.#retry);
    clearTimeout(this.#silence);
    this.#client?.close();
    this.#client = undefined;
  }

  #told = "";

  #tell(connection: Connection): void {
    const told = JSON.stringify(connection);
    if (told === this.#told) return;
    this.#told = told;
    this.#options.happen({ type: "connection", connection });
  }
}

function refusalOf(status: number, type: string): string {
  if (status === 503) return "the service has as many watchers as it allows (503)";
  if (status === 429) return "the service asks for patience (429)";
  if (status === 200) return `the service answered with ${type || "no content type"} instead of events`;
  return `the service answered ${status}`;
}

/** The service is there, its heap cannot be read. */
function unavailable(data: string): string {
  let reason: unknown;
  try {
    reason = (JSON.parse(data) as { reason?: unknown } | null)?.reason;
  } catch {
    reason = undefined;
  }
  return `the service has no snapshot${typeof reason === "string" ? ` (${reason.slice(0, 300)})` : ""}`;
}
