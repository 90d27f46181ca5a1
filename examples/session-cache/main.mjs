/**
 * A session cache under simulated traffic: few users come often, most come once.
 *
 *   node examples/session-cache/main.mjs [ticks]
 */
import { SlabHeap } from "temporal-slab";
import { SessionCache } from "./cache.mjs";

const ticks = Number(process.argv[2] ?? 20);
const REQUESTS_PER_TICK = 20_000;
const USERS = 100_000;

const heap = SlabHeap.create({ capacity: 64 * 1024 * 1024 });
const cache = new SessionCache(heap, { generations: 3 });
let seed = 20;
const random = () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};

console.log("tick  sessions  hit rate  dropped  committed MiB");
for (let tick = 1; tick <= ticks; tick++) {
  const { hits, misses } = cache.stats;
  for (let i = 0; i < REQUESTS_PER_TICK; i++) {
    const user = Math.floor(USERS * random() ** 4);
    const session = cache.get(user);
    if (session !== undefined && session.user !== user)
      throw new Error(`user ${user} got ${session.user}'s session`);
    cache.set(user, {
      user,
      visits: (session?.visits ?? 0) + 1,
      cart: "x".repeat(Math.floor(200 * random())),
    });
  }
  const dropped = cache.tick();
  const asked = cache.stats.hits - hits + (cache.stats.misses - misses);
  const rate = (100 * (cache.stats.hits - hits)) / asked;
  const committed = (heap.counters().committedSlabs * heap.slabSize) / 2 ** 20;
  console.log(
    `${String(tick).padStart(4)}${String(cache.size).padStart(10)}${`${rate.toFixed(1)} %`.padStart(10)}${String(dropped).padStart(9)}${committed.toFixed(1).padStart(15)}`,
  );
}
const { ok, problems } = heap.verify();
console.log(ok ? "heap consistent" : `heap DAMAGED: ${problems[0]}`);
process.exitCode = ok ? 0 : 1;
heap.detach();
