/**
 * Defends: what one thread writes another reads, texts and records, both ways; a text that is being written reads as a
 * mixture of bytes and never as an error or as bytes from elsewhere; a length is seen only with the bytes it counts; a
 * thread killed in the middle of writing leaves a text that can be read, written and freed.
 * Method: a worker on the built package; random texts; objects rewritten without pause while they are read, between
 * neighbours that hold a guard.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { type Handle, SlabHeap } from "temporal-slab";
import { allocText, defineRecord, readText, writeText } from "temporal-slab/data";
import { afterEach, beforeEach, expect, test } from "vitest";
import { testSeed } from "../model/seed.js";
import { anyText, wellFormed } from "./arbitrary.js";

const DEFINITION = {
  weight: "f64",
  count: "u32",
  name: ["text", 20],
  live: "bool",
  place: ["i16", 2],
} as const;
const Entry = defineRecord(DEFINITION);

let heap: SlabHeap;
let worker: Worker;
let control: Int32Array;

beforeEach(() => {
  heap = SlabHeap.create({ capacity: 32 * 1024 * 1024, maxWorkers: 4 });
  control = new Int32Array(new SharedArrayBuffer(8));
  worker = new Worker(new URL("./writer.mjs", import.meta.url), {
    workerData: { ref: heap.share(), control: control.buffer, definition: DEFINITION },
  });
  heap.watch(worker);
});

afterEach(async () => {
  const mine = heap.seat;
  await worker.terminate();
  while (heap.seats().some(({ seat, state }) => seat !== mine && state !== "FREE")) {
    heap.poll();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  heap.discardBefore(heap.advanceEpoch());
  heap.poll();
  expect(heap.verify()).toMatchObject({ ok: true, problems: [], liveObjects: 0 });
  heap.detach();
});

async function ask<T>(job: string, rest: object): Promise<T> {
  const answer = Promise.race([
    once(worker, "message").then(([value]) => value as T),
    once(worker, "error").then(([error]) => Promise.reject(error)),
  ]);
  worker.postMessage({ job, ...rest });
  return answer as Promise<T>;
}

test("texts and records pass both ways", async () => {
  const seed = testSeed("both ways");
  const [texts] = fc.sample(fc.array(anyText, { minLength: 300, maxLength: 300 }), { seed, numRuns: 1 });
  const wanted = texts.map(wellFormed);
  const handles = texts.map((text) => allocText(heap, text));
  const records = Array.from({ length: 300 }, () => Entry.alloc(heap));
  const entry = Entry.at(heap, records[0] as Handle);
  const values = records.map((handle, i) => {
    entry.moveTo(handle);
    entry.count = i;
    entry.weight = i / 7;
    entry.name = `né ${i}`;
    entry.live = i % 3 === 0;
    entry.place.set(0, 0 - i);
    // As the worker sees it: it sets the second place before it answers.
    return { count: i, weight: i / 7, name: `né ${i}`, live: i % 3 === 0, place: [0 - i, 0 - 2 * i] };
  });

  const answer = await ask<{ texts: string[]; records: unknown[] }>("read", { texts: handles, records });
  expect(answer.texts).toEqual(wanted);
  expect(answer.records).toEqual(values);
  records.forEach((handle, i) => {
    entry.moveTo(handle);
    const { count, weight, name, live } = entry;
    expect({ count, weight, name, live }).toEqual({
      count: i + 1,
      weight: i / 7,
      name: `seen ${i}`,
      live: i % 3 !== 0,
    });
    expect([...entry.place.view()]).toEqual([0 - i, 0 - 2 * i]);
  });

  const theirs = await ask<Handle[]>("make", { texts });
  theirs.forEach((handle, i) => {
    expect(readText(heap, handle) === wanted[i]).toBe(true);
    expect(heap.free(handle)).toBe(true);
  });
});

test("a text that grows is always exactly as long as what of it is there", async () => {
  // No pairs of surrogates: every beginning of the text is a beginning of its UTF-8.
  const units = "0123456789abcdefghijklmnopqrstuvwxyz äöü€\uffff".repeat(6);
  const handle = allocText(heap, units);
  const done = ask("grow", { handle, text: units, turns: 400 });
  const state = { done: false };
  done.finally(() => {
    state.done = true;
  });
  const lengths = new Set<number>();
  const wrong: string[] = [];
  while (!state.done) {
    for (let i = 0; i < 500; i++) {
      const now = readText(heap, handle);
      lengths.add(now.length);
      if (!units.startsWith(now)) wrong.push(now);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await done).toBe("grown");
  expect(wrong).toEqual([]);
  expect(readText(heap, handle)).toBe(units);
  console.log(`lengths seen: ${lengths.size} of ${units.length + 1}`);
});

const OVERWRITTEN = ["a".repeat(400), "€".repeat(130), "é", "", "é".repeat(190), "€".repeat(20_000)];

test("a text that is overwritten reads as a mixture of bytes, whatever its length", async () => {
  const texts = OVERWRITTEN.slice(0, 5);
  const [before, handle, after] = [0, 1, 2].map(() => heap.allocOrThrow(410)) as [Handle, Handle, Handle];
  for (const guard of [before, after]) heap.view(guard).fill("#".charCodeAt(0));
  writeText(heap, handle, "");
  const done = ask("overwrite", { handle, texts });
  await Atomics.waitAsync(control, 0, 0).value;
  // Bytes 61, E2 82 AC and C3 A9, in any mixture, make these characters and no others; "#" would be a neighbour's.
  const possible = /^[a\ufffd\u00c2\u00ec\u00e9\u2080-\u2fff]*$/;
  const strange = new Set<string>();
  for (let i = 0; i < 300_000; i++) {
    const text = readText(heap, handle);
    if (text.length > 400 || !possible.test(text)) strange.add(text);
  }
  Atomics.store(control, 0, 2);
  expect(await done).toBe("stopped");
  expect([...strange]).toEqual([]);
  for (const guard of [before, after]) expect(heap.view(guard).every((byte) => byte === 35)).toBe(true);
});

test("a writer killed in the middle leaves a text that can be used", async () => {
  const handle = heap.allocOrThrow(70_000);
  writeText(heap, handle, "");
  void ask("overwrite", { handle, texts: OVERWRITTEN }).catch(() => undefined);
  await Atomics.waitAsync(control, 0, 0).value;
  await worker.terminate();
  expect(readText(heap, handle)).toMatch(/^[a\ufffd\u00c2\u00ec\u00e9\u2080-\u2fff]*$/);
  expect(writeText(heap, handle, "after")).toBe(5);
  expect(readText(heap, handle)).toBe("after");
  expect(heap.free(handle)).toBe(true);
});
