/** How many bytes one call should release. */
import { median } from "../../stats.mjs";
import { MIB } from "../bursts.mjs";
import { fixed, share, size } from "../report.mjs";

const BATCHES = [64 * 1024, 128 * 1024, 256 * 1024, 512 * 1024, MIB, 2 * MIB, 4 * MIB, 16 * MIB];

export async function run({ rounds, runtimes: [node], child }) {
  const alone = [];
  const beside = [];
  for (let round = 0; round < rounds; round++) {
    alone.push(await child({ case: "batch", batches: BATCHES, withOther: false }, node));
    beside.push(await child({ case: "batch", batches: BATCHES, withOther: true }, node));
  }
  return { alone, beside };
}

export function tables({ alone, beside }) {
  const mid = (runs, i, name) => median(runs.map(({ results }) => results[i][name]));
  const rows = BATCHES.map((batch, i) => [
    size(batch),
    fixed(mid(alone, i, "usPerMib")),
    fixed(mid(alone, i, "callUs")),
    fixed(mid(beside, i, "usPerMib")),
    fixed(mid(beside, i, "callUs")),
    fixed(mid(beside, i, "longestUs"), 0),
    share(mid(beside, i, "otherRate"), 0),
  ]);
  return [
    {
      title: "Bytes released in one call (64 MiB of touched pages)",
      header: [
        "batch",
        "us/MiB",
        "us/call",
        "us/MiB beside a thread",
        "us/call",
        "longest",
        "that thread's speed",
      ],
      rows,
      notes: [
        `A call on pages that are gone already: ${fixed(median(alone.map(({ emptyCallUs }) => emptyCallUs)), 2)} us. us/call: so long nobody else can have these slabs. The other thread allocates, frees and writes in a heap of its own; its speed is compared with that just before.`,
      ],
    },
  ];
}
