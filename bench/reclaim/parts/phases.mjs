/** The same burst through the heap, through Node's buffers and through native malloc: time of each step, memory after it. */
import { median } from "../../stats.mjs";
import { SHAPES } from "../bursts.mjs";
import { buildPhases } from "../native.mjs";
import { fixed, mib, share } from "../report.mjs";

const WAYS = {
  "heap-releases": "heap with releaser: closeEpoch",
  heap: "heap without releaser: closeEpoch",
  alloc: "Buffer.alloc: gc()",
  allocUnsafeSlow: "Buffer.allocUnsafeSlow: gc()",
  malloc: "malloc: nothing",
  "malloc-trim": "malloc: malloc_trim(0)",
};

/** Shapes, and how often an object outlives the burst. */
const SCENES = [
  { shape: "1k", keepEvery: 0 },
  { shape: "1k", keepEvery: 1000 },
  { shape: "mixed", keepEvery: 0 },
];

export async function run({ rounds, quick, runtimes: [node], child }) {
  const native = buildPhases();
  const scenes = [];
  for (const scene of SCENES) {
    const job = { ...scene, mib: quick ? 64 : 256 };
    const samples = Object.fromEntries(Object.keys(WAYS).map((way) => [way, []]));
    for (let round = 0; round < rounds; round++) {
      const ways = Object.keys(WAYS);
      for (const way of round % 2 ? ways.toReversed() : ways) {
        if (!way.startsWith("malloc")) samples[way].push(await child({ case: "phases", way, ...job }, node));
        else if (native.skipped === undefined)
          samples[way].push(native.run({ ...job, trims: way === "malloc-trim" }));
      }
    }
    scenes.push({ ...job, samples });
  }
  native.close?.();
  return { skipped: native.skipped, scenes };
}

export function tables({ skipped, scenes }) {
  return scenes.map(({ shape, keepEvery, mib: burstMib, samples }) => {
    const rows = Object.entries(samples).flatMap(([way, rounds]) => {
      if (rounds.length === 0) return [];
      const mid = (pick) => median(rounds.map(pick));
      return [
        [
          WAYS[way],
          ...[0, 1, 2].map((step) => fixed(mid(({ ms }) => ms[step]))),
          ...[0, 1, 2, 3, 4].map((state) => mib(mid(({ rss }) => rss[state]))),
          share(mid(({ rss: [before, peak, , , later] }) => (peak - later) / (peak - before))),
        ],
      ];
    });
    const kept = keepEvery === 0 ? "all freed" : `1 in ${keepEvery} outlives it`;
    const header = ["way: what gives back", "fill, ms", "free, ms", "give back, ms", "RSS before", "peak"];
    header.push("freed", "given back", "1 s later", "of the growth back");
    const notes = [
      "Fill writes a byte to every page. Buffers are dropped and then collected, twice. RSS in MiB, of the whole process.",
    ];
    if (skipped !== undefined) notes.push(`malloc was left out: ${skipped}`);
    return { title: `${burstMib} MiB, ${SHAPES[shape]}, ${kept}`, header, rows, notes };
  });
}
