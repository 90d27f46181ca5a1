/**
 * Buffers as services use them: `temporal-slab/pool` beside what Node gives and what people write themselves.
 *
 * pool-SIZE: get a buffer, touch its first and last byte, give it back. pool-service: 64 requests in flight, each a body
 * copied in, a header parsed, fields counted, a response written and summed up; bodies of 128 B to 64 KiB, as many small
 * as large ones by logarithm. Batches take 50 ms, so collections fall into them; what they cost is told beside.
 */
import { PerformanceObserver } from "node:perf_hooks";
import { checkHeap } from "../contenders.mjs";
import { xorshift } from "../inputs.mjs";
import { SlabHeap } from "../lib.mjs";

const SIZES = { "pool-128": 128, "pool-1k": 1024, "pool-4k": 4096, "pool-16k": 16384, "pool-64k": 65536 };
const BATCH_MS = 50;
const WINDOW = 64;
const BODIES = 256;
/** Of a body's fields: the scan shall not drown everything else. */
const SCANNED = 512;
const CR = 13;
const LF = 10;
const COLON = 58;
const QUOTE = 34;

class Ours {
  constructor(BufferPool, options) {
    this.heap = SlabHeap.create({ capacity: 256 * 2 ** 20, ...options });
    this.pool = new BufferPool(this.heap, { label: "bench" });
  }
  take(size) {
    return this.pool.acquire(size);
  }
  bytes(buffer) {
    return buffer.bytes;
  }
  give(buffer) {
    buffer.release();
  }
  check() {
    if (this.pool.stats().inUse !== 0) throw new Error(JSON.stringify(this.pool.stats()));
    checkHeap(this.heap);
  }
}

/** What the engine collects needs no giving back. */
class Unsafe {
  take(size) {
    return Buffer.allocUnsafe(size);
  }
  bytes(buffer) {
    return buffer;
  }
  give(_buffer) {}
  check() {}
}

class NewUint8Array {
  take(size) {
    return new Uint8Array(size);
  }
  bytes(buffer) {
    return buffer;
  }
  give(_buffer) {}
  check() {}
}

/** An array of Buffers per power of two. Its buffers are as long as their class: the users keep the length themselves. */
class NaiveBuffers {
  constructor() {
    this.free = Array.from({ length: 33 }, () => []);
  }
  take(size) {
    const list = this.free[32 - Math.clz32(size - 1)];
    return list.length > 0 ? list.pop() : Buffer.allocUnsafeSlow(1 << (32 - Math.clz32(size - 1)));
  }
  bytes(buffer) {
    return buffer;
  }
  give(buffer) {
    this.free[31 - Math.clz32(buffer.length)].push(buffer);
  }
  check() {}
}

/** pool.js beside the index.js that the other rows use; TSLAB_LIB names another build. */
async function ours(options) {
  const index = process.env.TSLAB_LIB ?? new URL("../../dist/index.js", import.meta.url).href;
  const { BufferPool } = await import(new URL("pool.js", new URL(index, "file:///")).href);
  return new Ours(BufferPool, options);
}

/** Buffers above the largest class take whole slabs, which costs half a microsecond; here all of them have a class. */
const LARGE_SLABS = { slabSize: 2 ** 20, sizeClasses: Array.from({ length: 11 }, (_, i) => 64 << i) };

const makers = {
  ours: () => ours({}),
  largeSlabs: () => ours(LARGE_SLABS),
  unsafe: () => new Unsafe(),
  u8: () => new NewUint8Array(),
  naiveBuffers: () => new NaiveBuffers(),
};

function touch(source, size, from, to) {
  let sum = 0;
  for (let i = from; i < to; i++) {
    const buffer = source.take(size);
    const bytes = source.bytes(buffer);
    bytes[0] = i;
    bytes[size - 1] = i;
    sum += bytes[0];
    source.give(buffer);
  }
  return sum;
}

/** Requests as they arrive: header lines, an empty line, JSON. */
function makeBodies() {
  const random = xorshift(1337);
  return Array.from({ length: BODIES }, () => {
    const size = Math.round(128 * 2 ** ((random() / 2 ** 32) * 9));
    const header = `POST /items/${random() % 1000} HTTP/1.1\r\nX-Id: ${random()}\r\nContent-Length: ${size}\r\n\r\n`;
    let json = "[";
    while (header.length + json.length < size)
      json += `{"id":${random() % 1000},"name":"item","tags":["a","b"]},`;
    return Buffer.from(header + json).subarray(0, size);
  });
}

/** Length of the header, its digits added up in passing. */
function parseHeader(bytes, length) {
  let value = 0;
  for (let i = 0; i + 3 < length; i++) {
    const byte = bytes[i];
    if (byte >= 48 && byte <= 57) value = (value * 10 + byte - 48) | 0;
    else if (byte === COLON) value = 0;
    if (byte === CR && bytes[i + 1] === LF && bytes[i + 2] === CR && bytes[i + 3] === LF) return i + 4;
  }
  return value & 1;
}

class Service {
  constructor(source) {
    this.source = source;
    this.bodies = makeBodies();
    this.responses = makeBodies().reverse();
    this.inFlight = new Array(WINDOW).fill(null);
    this.lengths = new Int32Array(WINDOW);
    this.sum = 0;
    this.served = 0;
  }

  /** One request comes in, and the one that has waited longest is answered. */
  step(i) {
    const { source } = this;
    const at = i % WINDOW;
    if (this.inFlight[at] !== null) this.answer(at, i);
    const body = this.bodies[(i * 7) % BODIES];
    const buffer = source.take(body.length);
    source.bytes(buffer).set(body);
    this.inFlight[at] = buffer;
    this.lengths[at] = body.length;
  }

  answer(at, i) {
    const { source } = this;
    const buffer = this.inFlight[at];
    const length = this.lengths[at];
    const bytes = source.bytes(buffer);
    let fields = 0;
    const begin = parseHeader(bytes, length);
    const end = Math.min(length, begin + SCANNED);
    for (let k = begin; k < end; k++) if (bytes[k] === QUOTE) fields++;

    const template = this.responses[(i * 11) % BODIES];
    const size = Math.min(template.length, 16384);
    const reply = source.take(template.length);
    const out = source.bytes(reply);
    out.set(template);
    out[0] = fields & 0xff;
    let sum = 0;
    for (let k = 0; k < size; k += 64) sum = (sum + out[k]) | 0;
    source.give(reply);
    source.give(buffer);
    this.inFlight[at] = null;
    this.sum = (this.sum + sum) | 0;
    this.served++;
  }

  end() {
    for (let at = 0; at < WINDOW; at++) if (this.inFlight[at] !== null) this.answer(at, at);
    if (this.sum === 0) throw new Error("nothing was answered");
  }
}

/** Calls `batch(from, to)` in batches of the same length for so many seconds; nanoseconds per step of each. */
async function measure(batch, seconds, between) {
  let steps = 1;
  for (let took = 0; took < BATCH_MS; steps *= 2) {
    const from = performance.now();
    batch(0, steps);
    took = performance.now() - from;
  }
  const samples = [];
  const end = performance.now() + seconds * 1000;
  for (let next = 0; performance.now() < end || samples.length < 5; next += steps) {
    const from = performance.now();
    batch(next, next + steps);
    samples.push(((performance.now() - from) * 1e6) / steps);
    await between();
  }
  return { samples, steps: samples.length * steps };
}

/** Adds up what collections take; they are reported in a later turn of the event loop. */
function watchCollections() {
  const total = { ms: 0, count: 0 };
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      total.ms += duration;
      total.count++;
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  return { total, turn: () => new Promise((resolve) => setTimeout(resolve, 1)) };
}

export async function run(job) {
  const source = await makers[job.contender]();
  const { total, turn } = watchCollections();
  let result;
  const metrics = {};
  if (job.row === "pool-service") {
    const service = new Service(source);
    const times = new Float64Array(1 << 22);
    let timed = 0;
    const batch = (from, to) => {
      for (let i = from; i < to; i++) {
        const began = performance.now();
        service.step(i);
        times[timed++ & (times.length - 1)] = performance.now() - began;
      }
    };
    await measure(batch, job.seconds, turn); // warm
    timed = total.ms = total.count = 0;
    result = await measure(batch, job.seconds * 4, turn);
    service.end();
    const sorted = times.subarray(0, Math.min(timed, times.length)).sort();
    metrics.p999us = sorted[Math.floor(sorted.length * 0.999)] * 1000;
    metrics.maxUs = sorted[sorted.length - 1] * 1000;
  } else {
    const size = SIZES[job.row];
    await measure((from, to) => touch(source, size, from, to), job.seconds / 3, turn);
    total.ms = total.count = 0;
    result = await measure((from, to) => touch(source, size, from, to), job.seconds * 2, turn);
  }
  source.check();
  const { samples, steps } = result;
  metrics.gcNsPerOp = (total.ms * 1e6) / steps;
  metrics.collectionsPerMillion = (total.count * 1e6) / steps;
  return { samples, metrics };
}
