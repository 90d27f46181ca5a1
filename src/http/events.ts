/**
 * Server-sent events: one sampler for all listeners, which runs only while there are any.
 *
 * Every event says everything, so none has to arrive: a listener that still has one to take in is passed over, which
 * bounds what is kept for it to one event, and one that takes nothing in for `slowClientMs` is dropped.
 */
import type { StatsDocument } from "../stats/index.js";
import { later } from "./deadline.js";

/** A connection that events are written to. None of the methods throws; after `end` or `destroy` all do nothing. */
export interface EventSink {
  /** False while something written earlier has not been taken in. */
  ready(): boolean;
  write(chunk: Uint8Array): void;
  /** Ends the connection after what was written. */
  end(): void;
  /** Ends it now. */
  destroy(): void;
}

/** A place among the listeners, kept from the answer's headers on. */
export interface Admission {
  /** Sends events to `sink` from now on. */
  open(sink: EventSink): void;
  /** Gives the place back: the connection is gone, or never came about. May be called again. */
  leave(): void;
}

export interface EventsOptions {
  readonly intervalMs: number;
  readonly maxEventClients: number;
  readonly slowClientMs: number;
  readonly take: () => Promise<StatsDocument>;
  /** The data of an event, one line. */
  readonly describe: (document: StatsDocument, previous: StatsDocument | undefined) => string;
}

/** Something is sent at least this often, so that both ends notice when the other is gone. */
export const HEARTBEAT_MS = 15_000;
/** How long clients wait before they connect again. */
const RETRY_MS = 2000;

const encoder = new TextEncoder();
const PING = encoder.encode(": ping\n\n");
const OPENING = encoder.encode(`retry: ${RETRY_MS}\n\n`);
const CLOSING = encoder.encode("event: closing\ndata: {}\n\n");

interface Client {
  sink: EventSink | undefined;
  /** Since when it has something to take in; 0: it has not. */
  fullSinceMs: number;
}

export class Events {
  readonly #options: EventsOptions;
  readonly #clients = new Set<Client>();
  #closed = false;
  /** Identifies the present run of the sampler: what an earlier one still has under way is not sent. */
  #run: object | undefined;
  #timer: ReturnType<typeof later> | undefined;
  #heartbeat: ReturnType<typeof later> | undefined;
  #previous: StatsDocument | undefined;
  #last: Uint8Array | undefined;
  #sentAtMs = 0;

  constructor(options: EventsOptions) {
    this.#options = options;
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** A place for one more listener; undefined when all are taken. */
  admit(): Admission | undefined {
    if (this.#closed || this.#clients.size >= this.#options.maxEventClients) return undefined;
    const client: Client = { sink: undefined, fullSinceMs: 0 };
    this.#clients.add(client);
    return {
      open: (sink) => {
        if (!this.#clients.has(client)) {
          // Closed in between.
          sink.write(CLOSING);
          sink.end();
          return;
        }
        client.sink = sink;
        sink.write(OPENING);
        // The others' latest event will do for a start.
        if (this.#last !== undefined) sink.write(this.#last);
        if (this.#run === undefined) this.#start();
      },
      leave: () => this.#remove(client),
    };
  }

  /** Tells every listener and ends the connections. */
  close(): void {
    this.#closed = true;
    this.#stop();
    for (const { sink } of this.#clients) {
      sink?.write(CLOSING);
      sink?.end();
    }
    this.#clients.clear();
  }

  #remove(client: Client): void {
    this.#clients.delete(client);
    if (this.#clients.size === 0) this.#stop();
  }

  #start(): void {
    const run = {};
    this.#run = run;
    const tick = async (): Promise<void> => {
      const startedMs = performance.now();
      const event = await this.#event(run);
      if (this.#run !== run) return;
      if (event !== undefined) this.#send(event);
      const spentMs = performance.now() - startedMs;
      this.#timer = later(() => void tick(), Math.max(0, this.#options.intervalMs - spentMs));
    };
    this.#beat();
    void tick();
  }

  #stop(): void {
    this.#run = undefined;
    clearTimeout(this.#timer);
    clearTimeout(this.#heartbeat);
    // After a pause they are too old to compare with, or to show.
    this.#previous = undefined;
    this.#last = undefined;
  }

  /** Never rejects: whatever is wrong with the source is an event too. */
  async #event(run: object): Promise<Uint8Array | undefined> {
    try {
      const document = await this.#options.take();
      if (this.#run !== run) return undefined;
      const data = this.#options.describe(document, this.#previous);
      this.#previous = document;
      this.#last = encoder.encode(`event: state\ndata: ${data}\n\n`);
      return this.#last;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return encoder.encode(`event: unavailable\ndata: ${JSON.stringify({ reason })}\n\n`);
    }
  }

  #send(chunk: Uint8Array): void {
    this.#sentAtMs = performance.now();
    for (const client of this.#clients) this.#sendTo(client, chunk);
  }

  #sendTo(client: Client, chunk: Uint8Array): void {
    const { sink } = client;
    if (sink === undefined) return;
    if (sink.ready()) {
      client.fullSinceMs = 0;
      sink.write(chunk);
      return;
    }
    const nowMs = performance.now();
    if (client.fullSinceMs === 0) client.fullSinceMs = nowMs;
    else if (nowMs - client.fullSinceMs >= this.#options.slowClientMs) {
      this.#remove(client);
      sink.destroy();
    }
  }

  /** Where events are rare, or the source is slow. */
  #beat(): void {
    this.#heartbeat = later(() => {
      if (performance.now() - this.#sentAtMs >= HEARTBEAT_MS) this.#send(PING);
      this.#beat();
    }, HEARTBEAT_MS);
  }
}
