/**
 * A Bun service: texts pass between threads as handles, in epochs that rotate under the requests.
 *
 *   bun examples/bun-service/main.ts             serves on 127.0.0.1:3000
 *   bun examples/bun-service/main.ts --check     serves itself 200 requests and ends
 *
 * In a project of your own: `bun add temporal-slab`.
 */
import { Worker } from "node:worker_threads";
import { SlabHeap } from "temporal-slab";
import { EpochRotator, runInDomain } from "temporal-slab/async";
import { allocText, readText } from "temporal-slab/data";
import { HandleRing } from "temporal-slab/ring";

const heap = SlabHeap.create({ capacity: 32 * 1024 * 1024 });
const rotator = new EpochRotator(heap, { everyDomains: 64, everyMs: 1000, label: "texts" });
const requests = HandleRing.create(heap);
const replies = HandleRing.create(heap);

const worker = new Worker(new URL("./worker.ts", import.meta.url), {
  workerData: { heap: heap.share(), requests: requests.share(), replies: replies.share() },
});
heap.watch(worker);
/** One worker answers in order: whoever asked first is answered first, with 0 when the worker is gone. */
const waiting: ((handle: number) => void)[] = [];
const workerGone = new Promise<void>((resolve) => {
  worker.once("exit", () => {
    requests.close();
    replies.close();
    for (const answer of waiting.splice(0)) answer(0);
    resolve();
  });
});
worker.once("error", (error) => console.error(error));
const collecting = (async () => {
  for await (const handle of replies) waiting.shift()?.(handle);
})();

async function handler(request: Request): Promise<Response> {
  const text = await request.text();
  return runInDomain(heap, { label: request.method, rotator }, async (domain) => {
    const question = allocText(heap, text, domain);
    if (question === 0) return new Response("heap full\n", { status: 503 });
    const answer = new Promise<number>((resolve) => waiting.push(resolve));
    if (!requests.trySend(question)) {
      waiting.pop();
      heap.free(question);
      return new Response(requests.closed ? "worker died\n" : "busy\n", { status: 503 });
    }
    const handle = (await answer) as typeof question;
    if (handle === 0) return new Response("worker died\n", { status: 502 });
    try {
      return new Response(readText(heap, handle));
    } finally {
      heap.free(handle);
    }
  });
}

const check = process.argv.includes("--check");
const server = Bun.serve({ hostname: "127.0.0.1", port: check ? 0 : 3000, fetch: handler });
if (check) await checkItself();
else console.log(server.url.href);

async function checkItself(): Promise<void> {
  const one = async (i: number): Promise<boolean> => {
    const text = `${"żółw ".repeat((i * 7) % 500)}№ ${i}`;
    const response = await fetch(server.url, { method: "POST", body: text });
    return (await response.text()) === [...text].reverse().join("");
  };
  const right = await Promise.all(Array.from({ length: 200 }, (_, i) => one(i)));
  await server.stop();
  requests.close();
  await workerGone;
  await collecting;
  rotator.stop();
  heap.poll();
  const { liveObjects } = heap.counters();
  const report = { right: right.filter(Boolean).length, liveObjects, ok: heap.verify().ok };
  console.log(JSON.stringify({ runtime: "bun", version: Bun.version, ...report }));
  heap.detach();
  process.exit(report.right === 200 && liveObjects === 0 && report.ok ? 0 : 1);
}
