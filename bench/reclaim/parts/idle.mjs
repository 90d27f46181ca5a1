/** A releaser with nothing to release: is it free? */
import { median } from "../../stats.mjs";
import { fixed, share } from "../report.mjs";

const ROWS = [
  { what: "pair", title: "alloc and free of one object", capacityMib: 64 },
  { what: "lifo", title: "1,000 allocs, 1,000 frees, per pair", capacityMib: 64 },
  { what: "close", title: "closeEpoch of an empty epoch, 64 MiB heap", capacityMib: 64 },
  { what: "close", title: "closeEpoch of an empty epoch, 2 GiB heap", capacityMib: 2048 },
  { what: "advance", title: "advanceEpoch, 64 MiB heap", capacityMib: 64 },
  { what: "advance", title: "advanceEpoch, 2 GiB heap", capacityMib: 2048 },
];

export async function run({ rounds, quick, runtimes: [node], child }) {
  const results = [];
  for (const row of ROWS) {
    const job = { case: "idle", what: row.what, capacityMib: row.capacityMib, ms: quick ? 100 : 600 };
    const result = { ...row, with: [], without: [] };
    // Differences are of a percent or none: more rounds than elsewhere.
    for (let round = 0; round < rounds * 2; round++) {
      for (const releases of round % 2 ? [false, true] : [true, false]) {
        const { ns } = await child({ ...job, releases }, node);
        result[releases ? "with" : "without"].push(ns);
      }
    }
    results.push(result);
  }
  return results;
}

export function tables(results) {
  const rows = results.map((result) => {
    const ratios = result.with.map((ns, i) => ns / result.without[i]).toSorted((a, b) => a - b);
    const quartile = (q) => share(ratios[Math.round((ratios.length - 1) * q)] - 1);
    return [
      result.title,
      fixed(median(result.with), 2),
      fixed(median(result.without), 2),
      share(median(ratios) - 1),
      share(Math.min(...result.with) / Math.min(...result.without) - 1),
      `${quartile(0.25)} .. ${quartile(0.75)}`,
    ];
  });
  return [
    {
      title: "A releaser with nothing to do (ns of processor time)",
      header: ["", "with", "without", "difference", "best to best", "middle half of rounds"],
      rows,
    },
  ];
}
