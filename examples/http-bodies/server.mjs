/**
 * An HTTP server whose worker threads read request bodies where the server received them: no body is copied to a worker.
 *
 *   node examples/http-bodies/server.mjs [port]      then: curl --data 'hello' http://127.0.0.1:8080/
 *
 * Each request runs in a domain of a rotating epoch, so its memory goes back by whole slabs. A worker that dies is
 * replaced: the heap recovers what it held, and its successor goes on with the same ring.
 */
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { NULL_HANDLE, SlabHeap } from "temporal-slab";
import { EpochRotator, runInDomain } from "temporal-slab/async";
import { HandleRing } from "temporal-slab/ring";
import { bytesOf, HEADER_BYTES, requestId, writeHeader } from "./protocol.mjs";

const MAX_BODY_BYTES = 1024 * 1024;
const DIGEST_BYTES = 32;

export async function startServer({ port = 0, workers = 2, capacity = 64 * 1024 * 1024 } = {}) {
  const heap = SlabHeap.create({ capacity });
  const rotator = new EpochRotator(heap, { everyDomains: 256, everyMs: 1000, label: "bodies" });
  const replies = HandleRing.create(heap, { producers: 4 * workers });
  /** By number of request: who waits for the reply, and which worker owes it. */
  const pending = new Map();
  let lastId = 0;
  let closing = false;

  const crew = Array.from({ length: workers }, () => {
    const member = { requests: HandleRing.create(heap), worker: undefined, gone: undefined };
    hire(member);
    return member;
  });

  function hire(member) {
    const workerData = {
      heap: heap.share(),
      requests: member.requests.share(),
      replies: replies.share(),
    };
    member.worker = new Worker(new URL("./worker.mjs", import.meta.url), { workerData });
    // Its seat, its slabs and its places in the rings are free again when the exit event has passed here.
    heap.watch(member.worker);
    member.gone = new Promise((resolve) => {
      member.worker.once("exit", () => {
        for (const [id, { owner, resolve: answer }] of pending) {
          if (owner !== member) continue;
          pending.delete(id);
          answer(NULL_HANDLE);
        }
        if (!closing) hire(member);
        resolve();
      });
    });
    member.worker.once("error", (error) => console.error(`worker: ${error.message}`));
  }

  const collecting = (async () => {
    for await (const reply of replies) {
      const id = requestId(heap, reply);
      const waiting = pending.get(id);
      pending.delete(id);
      // Nobody waits for the reply to a request whose worker was taken for dead.
      if (waiting === undefined) heap.free(reply);
      else waiting.resolve(reply);
    }
  })();

  /** The reply's handle, or NULL_HANDLE when the worker died over it. */
  async function ask(owner, id, request) {
    const reply = new Promise((resolve) => pending.set(id, { owner, resolve }));
    if (await owner.requests.sendAsync(request)) return reply;
    pending.delete(id);
    return NULL_HANDLE;
  }

  async function answer(incoming, outgoing, domain) {
    const length = Number(incoming.headers["content-length"] ?? 0);
    if (!(length <= MAX_BODY_BYTES)) return refuse(outgoing, 413, "body too large");
    const id = ++lastId;
    const request = domain.alloc(HEADER_BYTES + length);
    if (request === NULL_HANDLE) return refuse(outgoing, 503, "heap full");
    let reply = NULL_HANDLE;
    try {
      writeHeader(heap, request, id, length);
      const body = bytesOf(heap, request);
      let received = 0;
      for await (const chunk of incoming) {
        if (received + chunk.length > length) return refuse(outgoing, 400, "longer than announced");
        body.set(chunk, received);
        received += chunk.length;
      }
      if (received < length) return refuse(outgoing, 400, "shorter than announced");
      reply = await ask(crew[id % crew.length], id, request);
      if (reply === NULL_HANDLE) return refuse(outgoing, 502, "worker died");
      const bytes = bytesOf(heap, reply);
      if (bytes.length === 0) return refuse(outgoing, 503, "heap full");
      outgoing.setHeader("x-sha256", bytes.toString("hex", 0, DIGEST_BYTES));
      outgoing.setHeader("content-length", bytes.length - DIGEST_BYTES);
      // The client left meanwhile: "close" has been and does not come again.
      if (outgoing.destroyed) return;
      // The socket reads the shared bytes until it has written them: the reply is freed after that.
      await new Promise((resolve) => {
        outgoing.once("close", resolve);
        outgoing.end(bytes.subarray(DIGEST_BYTES));
      });
    } finally {
      heap.free(request);
      if (reply !== NULL_HANDLE) heap.free(reply);
    }
  }

  function refuse(outgoing, status, why) {
    outgoing.writeHead(status, { connection: "close" }).end(`${why}\n`);
  }

  const server = createServer((incoming, outgoing) => {
    // Names the route, not the client: a heap remembers a few labels, not thousands.
    const label = `${incoming.method} /`;
    runInDomain(heap, { label, rotator }, (domain) => answer(incoming, outgoing, domain)).catch((error) => {
      outgoing.destroy(error);
    });
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));

  return {
    port: server.address().port,
    heap,
    rotator,
    /** For tests: what happens when one of them dies. */
    killWorker: (index) => crew[index % crew.length].worker.terminate(),
    /** Answers what is under way, ends the workers, and says what the heap holds after that. */
    async close() {
      server.closeIdleConnections();
      await new Promise((resolve) => server.close(resolve));
      closing = true;
      for (const { requests } of crew) requests.close();
      await Promise.all(crew.map(({ gone }) => gone));
      replies.close();
      await collecting;
      rotator.stop();
      const report = {
        ...heap.verify(),
        rotations: rotator.stats(),
        liveObjects: heap.counters().liveObjects,
      };
      heap.detach();
      return report;
    },
  };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const server = await startServer({ port: Number(process.argv[2] ?? 8080) });
  console.log(`http://127.0.0.1:${server.port}/ (Ctrl-C ends it)`);
  process.once("SIGINT", async () => {
    const { ok, liveObjects } = await server.close();
    console.log(`heap ${ok ? "consistent" : "DAMAGED"}, ${liveObjects} live objects`);
  });
}
