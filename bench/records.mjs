/**
 * `node bench/records.mjs` (after `npm run build`): fields of records against plain objects, DataView and the heap's own
 * typed arrays. Nanoseconds per record, best of several passes; every way must come to the same sum.
 *
 *   sum      over a million records: two numbers and a byte of each
 *   update   of one field of one record, in place
 */
import { parseArgs } from "node:util";
import { SlabHeap } from "./lib.mjs";

const { defineRecord } = await import(
  process.env.TSLAB_DATA ?? new URL("../dist/data.js", import.meta.url).href
);
// Further types that use the same accessors first: V8 must not mind.
const { values } = parseArgs({ options: { types: { type: "string", default: "0" } } });

const COUNT = 1_000_000;
const PASSES = 9;
const heap = SlabHeap.create({ capacity: 512 * 1024 * 1024 });
const { f64, u32, u8 } = heap;

for (let i = 0; i < Number(values.types); i++) warmUp(i);

const Particle = defineRecord({ x: "f64", y: "f64", id: "u32", flags: "u8", pos: ["f32", 3] });
const { offsets } = Particle;
const handles = Array.from({ length: COUNT }, () => Particle.alloc(heap));
const places = Int32Array.from(handles, (handle) => heap.byteOffset(handle));
const p = Particle.at(heap, handles[0]);
const objects = handles.map((handle, i) => {
  p.moveTo(handle);
  p.x = i / 2;
  p.id = i;
  p.flags = i;
  for (let k = 0; k < 3; k++) p.pos.set(k, k);
  return { x: i / 2, y: 0, id: i, flags: i & 0xff };
});
const data = new DataView(heap.buffer);
p.moveTo(handles[COUNT / 2]);
const [here, object] = [places[COUNT / 2], objects[COUNT / 2]];

const rows = {
  "sum: record, moveTo each": () => {
    let sum = 0;
    for (let i = 0; i < COUNT; i++) {
      p.moveTo(handles[i]);
      sum += p.x + p.id + p.flags;
    }
    return sum;
  },
  "sum: heap.byteOffset each, typed arrays": () => {
    let sum = 0;
    for (let i = 0; i < COUNT; i++) {
      const at = heap.byteOffset(handles[i]);
      sum += f64[(at + offsets.x) >> 3] + u32[(at + offsets.id) >> 2] + u8[at + offsets.flags];
    }
    return sum;
  },
  "sum: known offsets, typed arrays": () => {
    let sum = 0;
    for (let i = 0; i < COUNT; i++) {
      const at = places[i];
      sum += f64[(at + offsets.x) >> 3] + u32[(at + offsets.id) >> 2] + u8[at + offsets.flags];
    }
    return sum;
  },
  "sum: known offsets, DataView": () => {
    let sum = 0;
    for (let i = 0; i < COUNT; i++) {
      const at = places[i];
      sum += data.getFloat64(at + offsets.x, true);
      sum += data.getUint32(at + offsets.id, true) + data.getUint8(at + offsets.flags);
    }
    return sum;
  },
  "sum: plain objects": () => {
    let sum = 0;
    for (let i = 0; i < COUNT; i++) sum += objects[i].x + objects[i].id + objects[i].flags;
    return sum;
  },
  "update: record": () => {
    p.moveTo(handles[COUNT / 2]);
    for (let i = 0; i < COUNT; i++) p.y += p.id;
    return p.y;
  },
  "update: typed arrays": () => {
    for (let i = 0; i < COUNT; i++) f64[(here + offsets.y) >> 3] += u32[(here + offsets.id) >> 2];
    return f64[(here + offsets.y) >> 3];
  },
  "update: plain object": () => {
    for (let i = 0; i < COUNT; i++) object.y += object.id;
    return object.y;
  },
  "update: element of an array field": () => {
    p.moveTo(handles[COUNT / 2]);
    for (let i = 0; i < COUNT; i++) p.pos.set(1, p.pos.get(1) + 1);
    return p.pos.get(1);
  },
};

const sums = new Map();
for (const [name, run] of Object.entries(rows)) {
  let best = Number.POSITIVE_INFINITY;
  let result = 0;
  for (let pass = 0; pass < PASSES; pass++) {
    f64[(here + offsets.y) >> 3] = 0;
    object.y = 0;
    const start = performance.now();
    result = run();
    best = Math.min(best, performance.now() - start);
  }
  const group = name.split(":")[0];
  if (!name.includes("element")) {
    if (sums.has(group) && sums.get(group) !== result)
      throw new Error(`${name}: ${result}, not ${sums.get(group)}`);
    sums.set(group, result);
  }
  console.log(`${name.padEnd(42)} ${((best * 1e6) / COUNT).toFixed(2).padStart(7)}`);
}

function warmUp(i) {
  const Other = defineRecord({ a: "f64", [`own${i}`]: "u32", b: "u32", c: "u8", d: ["i16", 2] });
  const view = Other.at(heap, Other.alloc(heap));
  for (let n = 0; n < 30_000; n++) {
    view.a += 1;
    view[`own${i}`]++;
    view.b++;
    view.c++;
    view.d.set(0, view.d.get(1));
  }
}
