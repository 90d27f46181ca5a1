/** The same burst 2,000 times: does anything grow after the second? */
import { verdict } from "../../looks.mjs";
import { median } from "../../stats.mjs";
import { fixed, mib, share } from "../report.mjs";

const BURST_MIB = 16;
/** Samples at either end of the process's RSS, which the engine moves by the MiB. */
const ENDS = 100;

export async function run({ quick, runtimes, child }) {
  const cycles = quick ? 200 : 2000;
  const results = [];
  for (const runtime of runtimes) {
    for (const kind of ["with", "without", "idle"]) {
      const job = {
        releases: kind === "with",
        idle: kind === "idle",
        mib: BURST_MIB,
        cycles,
        capacityMib: 64,
      };
      results.push({ kind, ...(await child({ case: "cycles", ...job }, runtime)) });
    }
  }
  return results;
}

/** From the second value on: how far the largest is above it. `most` is null where the system did not say. */
function drift(values) {
  const second = values[1];
  const largest = Math.max(...values.slice(1));
  const last = values.at(-1);
  if (second === null) return { second, last, most: null };
  if (second === 0) return { second, last, most: largest === 0 ? 0 : Number.POSITIVE_INFINITY };
  return { second, last, most: largest / second - 1 };
}

const NAMES = { with: "releaser", without: "no releaser", idle: "the same loop, empty" };

export function tables(results) {
  const rows = results.map(({ runtime, kind, series, msPerCycle }) => {
    const peak = drift(series.peak);
    const committed = drift(series.committed);
    const payload = drift(series.payload);
    const metadata = drift(series.metadata);
    const [head, tail] = [series.rss.slice(1, 1 + ENDS), series.rss.slice(-ENDS)].map(median);
    const isIdle = kind === "idle";
    const isFlat = [peak, committed, payload].every(({ most }) => most === 0 || most === null);
    return [
      `${runtime}, ${NAMES[kind]}`,
      isIdle ? "-" : `${mib(peak.last, 1)} / ${mib(committed.last, 1)}`,
      isIdle ? "-" : share(Math.max(peak.most, committed.most), 2),
      isIdle ? "-" : mib(payload.last, 2),
      isIdle || payload.most === null ? "-" : share(payload.most, 2),
      isIdle ? "" : verdict(isFlat),
      isIdle ? "-" : `${mib(metadata.second, 2)} -> ${mib(metadata.last, 2)}`,
      `${mib(head, 1)} -> ${mib(tail, 1)}`,
      share(tail / head - 1, 2),
      fixed(msPerCycle, 2),
    ];
  });
  const { length } = results[0].series.rss;
  return [
    {
      title: `${length} bursts of ${BURST_MIB} MiB, an epoch each (MiB; sizes of 16 B to 2 MiB, 64 MiB heap)`,
      header: [
        "",
        "committed peak / closed",
        "drift",
        "payload resident",
        "drift",
        "= 0",
        "metadata, 2nd -> last",
        `process RSS, first ${ENDS} -> last ${ENDS}`,
        "change",
        "ms/burst",
      ],
      rows,
      notes: [
        "drift: the largest value after the second burst's, above that one. What the process's RSS does in the empty loop is the engine's.",
      ],
    },
  ];
}
