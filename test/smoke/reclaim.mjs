// usage: <runtime> reclaim.mjs <backend it must find>
// Gives pages back on whatever runtime this is, in this thread, in a worker and through a heap, and looks whether they are
// gone. Last line of output: a JSON object { runtime, version, backend, reason, advice, pageBytes, rssMiB, burst, ms }, where
// rssMiB is the resident set with 128 MiB in use, and after they were released, and burst the MiB an epoch of a heap held
// and the share of it that the resident set fell by. Exit code 0 only if everything held.
import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { SlabHeap } from "temporal-slab";
import { autoPageReleaser, createPageReleaser } from "temporal-slab/reclaim";
import { check, runtime } from "./runtime.mjs";

const MIB = 1024 * 1024;
const auto = autoPageReleaser();
// Workers of Node load koffi only when they are told to.
const releaser = isMainThread || auto.enabled ? auto : createPageReleaser(workerData.backend);
const { pageBytes } = releaser;

if (isMainThread) {
  const [wanted] = process.argv.slice(2);
  if (wanted !== undefined) check(releaser.backend === wanted, `${releaser.backend}: ${releaser.reason}`);
  const started = performance.now();
  const rssMiB = releaseInSteps();
  const burst = burstInHeap();
  await releaseInWorker();
  refusals();
  const { name, version } = runtime();
  const { backend, reason, advice } = releaser;
  const ms = Math.round(performance.now() - started);
  console.log(
    JSON.stringify({ runtime: name, version, backend, reason, advice, pageBytes, rssMiB, burst, ms }),
  );
} else {
  parentPort.postMessage({
    found: auto.backend,
    released: roundTrip(workerData.buffer, workerData.from),
  });
}

/** 64 MiB plain and 64 MiB growable, slab by slab and then the whole. */
function releaseInSteps() {
  const buffers = [
    new SharedArrayBuffer(64 * MIB),
    new SharedArrayBuffer(64 * MIB, { maxByteLength: 128 * MIB }),
  ];
  for (const buffer of buffers) new Uint8Array(buffer).fill(7);
  const full = process.memoryUsage().rss;
  for (const buffer of buffers) {
    let released = 0;
    for (let from = 0; from < buffer.byteLength; from += MIB) released += releaser.release(buffer, from, MIB);
    check(released >= 64 * (MIB - pageBytes), `whole pages of every piece, got ${released}`);
    // Pieces need not meet on a page; what lies between them goes with the whole.
    check(releaser.release(buffer, 0, buffer.byteLength) >= 64 * MIB - pageBytes, "all of it");
  }
  const empty = process.memoryUsage().rss;
  check(full - empty >= 0.95 * 128 * MIB, `the resident set falls by 128 MiB; was ${full}, is ${empty}`);
  for (const buffer of buffers) roundTrip(buffer, 1000);
  return [full, empty].map((bytes) => Math.round(bytes / MIB));
}

/**
 * The promise of the whole: after a burst of 256 MiB in one epoch, frees and a close, the resident set falls by 95% of what
 * the epoch held. Returns MiB held and the share that went.
 */
function burstInHeap() {
  const heap = SlabHeap.create({ capacity: 512 * MIB, pageReleaser: releaser });
  const handles = new Float64Array(256 * 1024);
  // Twice: the first time also makes what the runtime itself needs for so many calls.
  let share = 0;
  for (let round = 0; round < 2; round++) {
    const epoch = heap.currentEpoch;
    for (let i = 0; i < handles.length; i++) {
      handles[i] = heap.alloc(1024);
      const at = heap.byteOffset(handles[i]);
      heap.u8.fill(7, at, at + 1024);
    }
    const full = process.memoryUsage().rss;
    for (const handle of handles) check(heap.free(handle), "a free");
    const { bytesReleased, slabsRecycled } = heap.closeEpoch(epoch);
    share = (full - process.memoryUsage().rss) / (256 * MIB);
    check(slabsRecycled >= 4096 && bytesReleased >= 0.95 * 256 * MIB, `released ${bytesReleased}`);
  }
  check(share >= 0.95, `the resident set falls by ${share} of what the epoch held`);
  check(heap.trim().failures === 0 && heap.verify().ok, "a sound heap");
  heap.detach();
  return [256, Math.round(share * 1000) / 1000];
}

/** Fills 1 MiB from `from` on, releases it and checks every byte in it and 1000 on both sides. */
function roundTrip(buffer, from) {
  const bytes = new Uint8Array(buffer);
  bytes.fill(9, from - 1000, from + MIB + 1000);
  const released = releaser.release(buffer, from, MIB);
  check(released >= MIB - pageBytes && released % pageBytes === 0, `whole pages, got ${released}`);
  const inside = bytes.subarray(from, from + MIB);
  const first = inside.indexOf(0);
  check(first < pageBytes, "a page begins within the first");
  inside.forEach((byte, i) => {
    const gone = i >= first && i < first + released;
    check(byte === (gone ? 0 : 9), `byte ${i} is ${byte}`);
  });
  const around = [...bytes.subarray(from - 1000, from), ...bytes.subarray(from + MIB, from + MIB + 1000)];
  check(
    around.every((byte) => byte === 9),
    "its neighbours keep their content",
  );
  return released;
}

async function releaseInWorker() {
  const buffer = new SharedArrayBuffer(4 * MIB);
  const worker = new Worker(new URL("./reclaim.mjs", import.meta.url), {
    workerData: { buffer, from: 5000, backend: releaser.backend },
  });
  const [answer] = await once(worker, "message");
  const found = releaser.backend === "koffi" ? "none" : releaser.backend;
  check(answer.found === found, `what a worker finds by itself: ${answer.found}`);
  check(new Uint8Array(buffer)[2 * pageBytes + 5000] === 0, "what it released is zero here");
  await worker.terminate();
}

function refusals() {
  check(
    throws("ERR_TSLAB_OUT_OF_RANGE", () => releaser.release(new SharedArrayBuffer(8), 0, 9)),
    "a range beyond the buffer is refused",
  );
  check(
    throws("ERR_TSLAB_INVALID_TYPE", () => releaser.release(new ArrayBuffer(8), 0, 8)),
    "a buffer that is not shared is refused",
  );
  const other = releaser.backend === "deno" ? "bun" : "deno";
  check(
    throws("ERR_TSLAB_PAGE_RELEASER_UNAVAILABLE", () => createPageReleaser(other)),
    "another runtime's backend is refused",
  );
  check(!createPageReleaser("none").enabled, "none is always there");
}

function throws(code, body) {
  try {
    body();
  } catch (error) {
    return error.code === code;
  }
  return false;
}
