/**
 * Inputs every contender gets alike: sizes, orders and the recorded trace.
 *
 * All of them are drawn before anything is timed, so that no random generator sits in a timed loop.
 * yardstick.c draws the same numbers from the same seeds: change both or neither.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

export const OBJECT_SIZE = 128;
export const BATCH = 1000;
export const MANY = 100_000;

/** Marsaglia's 32-bit xorshift; the C twin is `next_random` in yardstick.c. */
export function xorshift(seed) {
  let x = seed | 0;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

/** 4,096 sizes of 1..768 bytes. */
export function mixedSizes() {
  const random = xorshift(12345);
  return Int32Array.from({ length: 4096 }, () => 1 + (random() % 768));
}

/** A random order of 0..n-1. */
export function permutation(n) {
  const random = xorshift(54321);
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random() % (i + 1);
    const held = order[i];
    order[i] = order[j];
    order[j] = held;
  }
  return order;
}

/** Which of the 100k live objects each churn step replaces; long enough to reach nearly all of them. */
export const CHURN_STEPS = 1 << 18;
export function churnOrder() {
  const random = xorshift(24635);
  return Int32Array.from({ length: CHURN_STEPS }, () => random() % MANY);
}

/** The recorded trace: $TSLAB_TRACE first, then the one in traces/; undefined when it is not there. */
export function tracePath() {
  const ours = fileURLToPath(new URL("traces/gcc-cc1.trace.gz", import.meta.url));
  return [process.env.TSLAB_TRACE, ours].find((path) => path && existsSync(path));
}

/**
 * Pairs of `[size > 0, slot]` (allocate) and `[0, slot]` (free).
 * What the recorded program left live is freed at the end, so that a replay can be repeated.
 */
export function loadTrace(path) {
  const bytes = gunzipSync(readFileSync(path));
  const recorded = new Int32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const live = new Set();
  let slots = 0;
  for (let i = 0; i < recorded.length; i += 2) {
    if (recorded[i] > 0) live.add(recorded[i + 1]);
    else live.delete(recorded[i + 1]);
    slots = Math.max(slots, recorded[i + 1] + 1);
  }
  const events = new Int32Array(recorded.length + 2 * live.size);
  events.set(recorded);
  let end = recorded.length;
  for (const slot of live) {
    events[end + 1] = slot; // the size before it stays 0: free
    end += 2;
  }
  return { events, slots };
}
