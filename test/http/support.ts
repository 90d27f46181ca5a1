/** Heaps to look at, servers, and clients that say exactly what goes over the wire. */
import { type IncomingMessage, request } from "node:http";
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import {
  createTelemetryServer,
  type TelemetryAddress,
  type TelemetryServer,
  type TelemetryServerOptions,
  type TelemetrySource,
} from "../../src/http.js";
import { SlabHeap } from "../../src/index.js";
import { StatsReader } from "../../src/stats.js";

/** A heap with something in it: a labelled epoch that somebody is still inside, closed since; live objects; a free slab. */
export function leakyHeap(): { heap: SlabHeap; reader: StatsReader } {
  const heap = SlabHeap.create({ capacity: 4 * 1024 * 1024 });
  const domain = heap.openDomain({ label: "forgotten" });
  for (let i = 0; i < 100; i++) domain.alloc(128);
  heap.advanceEpoch();
  heap.alloc(1000);
  heap.alloc(200_000);
  return { heap, reader: StatsReader.open(heap) };
}

/** A server that listens, and is closed when the test has ended. Of a leaky heap, unless the source is given. */
export async function serve(
  options?: TelemetryServerOptions,
  source: TelemetrySource = leakyHeap().reader,
): Promise<TelemetryAddress & { readonly server: TelemetryServer }> {
  const server = createTelemetryServer(source, options);
  onTestFinished(() => server.close());
  return { server, ...(await server.listen()) };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** One request on a connection of its own. */
export function ask(url: string, { method = "GET", headers = {}, body }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.once("error", reject);
      response.once("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      );
    });
    sent.once("error", reject);
    sent.end(body);
  });
}

/** Sends bytes as they are; resolves with all that came back when the other side has closed the connection. */
export function raw(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
    });
    // A reset is an answer too.
    socket.on("error", () => {});
    socket.once("close", () => resolve(text));
  });
}

export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** A listener of events over a real connection. */
export class Listener {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly #response: IncomingMessage;
  readonly #events: ServerEvent[] = [];
  readonly #waiting: (() => void)[] = [];
  text = "";
  ended = false;

  private constructor(response: IncomingMessage) {
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    this.#response = response;
    const tell = () => {
      for (const wake of this.#waiting.splice(0)) wake();
    };
    let rest = "";
    response.setEncoding("utf8").on("data", (chunk: string) => {
      this.text += chunk;
      const blocks = (rest + chunk).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
        const data = field("data");
        if (data !== undefined) this.#events.push({ event: field("event") ?? "message", data });
      }
      tell();
    });
    response.on("error", () => {});
    response.once("close", () => {
      this.ended = true;
      tell();
    });
  }

  static open(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Listener> {
    return new Promise((resolve, reject) => {
      const sent = request(url, { headers, agent: false }, (response) => resolve(new Listener(response)));
      sent.once("error", reject);
      sent.end();
    });
  }

  /** The next event that was not returned before; undefined when the connection has ended. */
  async next(): Promise<ServerEvent | undefined> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined || this.ended) return event;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  leave(): void {
    this.#response.destroy();
  }
}

/** A connection that asks and then reads nothing. */
export function deafListener(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.pause();
      socket.write("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
      resolve(socket);
    });
    socket.once("error", reject);
  });
}

/** Waits until something holds. The time limit is the test's. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}
