/**
 * Defends: the HTTP example answers every request with the right digest and bytes under load, keeps answering when
 * workers die under it, refuses what is too large or breaks off, and holds nothing when it has closed.
 * Method: the server itself in this process, a real client over loopback with many connections, random bodies
 * from nothing to 300 KB; digests and bytes are computed here as well.
 */
import { createHash, randomBytes } from "node:crypto";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { randomFrom } from "../random.js";
import { root } from "./support.js";

interface Server {
  readonly port: number;
  readonly heap: { counters(): { liveObjects: number } };
  killWorker(index: number): Promise<number>;
  close(): Promise<{ ok: boolean; problems: string[]; liveObjects: number; rotations: object }>;
}
const { startServer } = (await import(join(root, "examples/http-bodies/server.mjs"))) as {
  startServer(options?: object): Promise<Server>;
};

let server: Server;
let agent: Agent;
beforeEach(async () => {
  server = await startServer({ workers: 2 });
  agent = new Agent({ keepAlive: true, maxSockets: 32 });
});
afterEach(() => agent.destroy());

interface Answer {
  readonly status: number;
  readonly sha256: string | undefined;
  readonly body: Buffer;
}

function post(body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ port: server.port, host: "127.0.0.1", method: "POST", agent }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", () => {
        const sha256 = incoming.headers["x-sha256"] as string | undefined;
        resolve({ status: incoming.statusCode ?? 0, sha256, body: Buffer.concat(chunks) });
      });
      incoming.on("error", reject);
    });
    outgoing.on("error", reject);
    outgoing.setHeader("content-length", body.length);
    outgoing.end(body);
  });
}

const capitals = (body: Buffer): Buffer =>
  Buffer.from(body.map((byte) => (byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte)));

function expectRight(body: Buffer, answer: Answer): void {
  expect(answer.status).toBe(200);
  expect(answer.sha256).toBe(createHash("sha256").update(body).digest("hex"));
  expect(answer.body.equals(capitals(body))).toBe(true);
}

async function expectNothingLeft(): Promise<void> {
  expect(await server.close()).toMatchObject({ ok: true, problems: [], liveObjects: 0 });
}

test("1,000 bodies over 32 connections", async () => {
  const random = randomFrom(5);
  const sizes = Array.from({ length: 1000 }, (_, i) =>
    i < 10 ? i : Math.floor(10 ** (1 + 4.47 * random())),
  );
  const one = async (size: number): Promise<void> => {
    const body = randomBytes(size);
    expectRight(body, await post(body));
  };
  await Promise.all(sizes.map(one));
  await expectNothingLeft();
});

test("workers that die lose at most what they were at; their successors go on", async () => {
  const answers: Answer[] = [];
  let asked = 0;
  const client = async (): Promise<void> => {
    while (asked < 600) {
      const number = ++asked;
      const body = Buffer.from(`request ${number} `.repeat(1 + (number % 500)));
      if (number % 100 === 50) await server.killWorker(number % 2);
      const answer = await post(body);
      if (answer.status !== 502) expectRight(body, answer);
      answers.push(answer);
    }
  };
  await Promise.all(Array.from({ length: 16 }, client));
  const lost = answers.filter(({ status }) => status === 502).length;
  // Six kills, and at most the requests that were under way with the dead worker each time.
  expect(lost).toBeLessThanOrEqual(6 * 16);
  expect(answers.length - lost).toBeGreaterThan(400);
  const body = Buffer.from("still here");
  for (let i = 0; i < 4; i++) expectRight(body, await post(body));
  // What a worker held when it died stays allocated until its epoch is discarded; the example closes epochs.
  const { ok, problems, liveObjects } = await server.close();
  expect({ ok, problems }).toEqual({ ok: true, problems: [] });
  expect(liveObjects).toBeLessThanOrEqual(2 * 6);
});

describe("refuses", () => {
  test("a body beyond the limit, before it has been sent", async () => {
    const answer = await post(Buffer.alloc(1024 * 1024 + 1)).catch((error: Error) => error);
    // The server closes while the client may still be sending: either is a refusal.
    if (answer instanceof Error) expect(answer.message).toMatch(/EPIPE|ECONNRESET/);
    else expect(answer.status).toBe(413);
    await expectNothingLeft();
  });

  test("a client that goes away in the middle", async () => {
    const socket = connect(server.port, "127.0.0.1");
    await new Promise((resolve) => socket.once("connect", resolve));
    socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nonly this");
    while (server.heap.counters().liveObjects === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    socket.destroy();
    while (server.heap.counters().liveObjects > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const body = Buffer.from("next");
    expectRight(body, await post(body));
    await expectNothingLeft();
  });

  test("clients that go away while the worker is at it", async () => {
    const body = Buffer.alloc(1024 * 1024, "x");
    for (let i = 0; i < 10; i++) {
      const socket = connect(server.port, "127.0.0.1");
      await new Promise((resolve) => socket.once("connect", resolve));
      socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n`);
      await new Promise((resolve) => socket.write(body, resolve));
      socket.destroy();
    }
    while (server.heap.counters().liveObjects > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await expectNothingLeft();
  });
});
