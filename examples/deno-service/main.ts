/**
 * A Deno service: request bodies go into pooled shared memory, a Web Worker counts words where they lie.
 *
 *   deno run --allow-all examples/deno-service/main.ts             serves on 127.0.0.1:8000
 *   deno run --allow-all examples/deno-service/main.ts --check     serves itself 200 requests and ends
 *
 * In a project of your own: `deno add npm:temporal-slab` instead of this folder's deno.json.
 */
import { SlabHeap } from "temporal-slab";
import { BufferPool } from "temporal-slab/pool";
import { HandleRing } from "temporal-slab/ring";

const HEADER_BYTES = 16;
const MAX_BODY_BYTES = 256 * 1024;

const heap = SlabHeap.create({ capacity: 32 * 1024 * 1024 });
const pool = new BufferPool(heap, { label: "bodies", maxBuffers: 64 });
const requests = HandleRing.create(heap);
const replies = HandleRing.create(heap);
/** By number of request: who waits for the count; -1 when the worker is gone. */
const pending = new Map<number, (words: number) => void>();
let lastId = 0;

const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
const ref = heap.share();
worker.postMessage({ heap: ref, requests: requests.share(), replies: replies.share() });
heap.watch(worker, ref);
worker.addEventListener("error", (event) => {
  event.preventDefault();
  console.error(event.message);
  worker.terminate();
  requests.close();
  for (const answer of pending.values()) answer(-1);
});

/** The worker answers by writing the count into the header and sending the handle back. */
const collecting = (async () => {
  for await (const handle of replies) {
    const [id = 0, , words = 0] = heap.viewAs(handle, Int32Array, 3);
    pending.get(id)?.(words);
    pending.delete(id);
  }
})();

async function handler(request: Request): Promise<Response> {
  const body = new Uint8Array(await request.arrayBuffer());
  if (body.length > MAX_BODY_BYTES) return new Response("body too large\n", { status: 413 });
  // At most 64 bodies are held: request number 65 waits here, not in memory.
  const buffer = await pool.acquireAsync(HEADER_BYTES + body.length, { timeoutMs: 5000 });
  try {
    const id = ++lastId;
    heap.viewAs(buffer.handle, Int32Array, 2).set([id, body.length]);
    buffer.bytes.set(body, HEADER_BYTES);
    const counted = new Promise<number>((resolve) => pending.set(id, resolve));
    const words = (await requests.sendAsync(buffer.handle)) ? await counted : -1;
    if (words < 0) return new Response("worker died\n", { status: 502 });
    return Response.json({ bytes: body.length, words });
  } finally {
    buffer.release();
  }
}

const check = Deno.args.includes("--check");
const server = Deno.serve({ hostname: "127.0.0.1", port: check ? 0 : 8000, onListen: () => {} }, handler);
const address = `http://127.0.0.1:${server.addr.port}/`;
if (check) await checkItself();
else console.log(address);

async function checkItself(): Promise<void> {
  const one = async (i: number): Promise<boolean> => {
    const words = (i * 37) % 3000;
    const text = Array.from({ length: words }, (_, k) => `word${i + k}`).join(" ");
    const response = await fetch(address, { method: "POST", body: text });
    const answer = await response.json();
    return answer.words === words && answer.bytes === new TextEncoder().encode(text).length;
  };
  const right = await Promise.all(Array.from({ length: 200 }, (_, i) => one(i)));
  await server.shutdown();
  requests.close();
  await collecting;
  const { inUse, acquired } = pool.stats();
  const report = { right: right.filter(Boolean).length, acquired, inUse, ok: heap.verify().ok };
  console.log(JSON.stringify({ runtime: "deno", version: Deno.version.deno, ...report }));
  worker.terminate();
  heap.detach();
  Deno.exit(report.right === 200 && inUse === 0 && report.ok ? 0 : 1);
}
