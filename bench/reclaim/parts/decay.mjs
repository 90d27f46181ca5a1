/** What decay is worth: bursts for a while, then nothing. */
import { MIB } from "../bursts.mjs";
import { fixed, mib, share } from "../report.mjs";

const BURST_MIB = 16;
const EVERY_MS = 100;
const ALL = 64 * MIB;
const POLICIES = [
  { title: "no releaser", policy: null },
  { title: "default reserve (512 KiB)", policy: {} },
  { title: "default reserve, decay 1 s", policy: { decayMs: 1000 } },
  { title: "reserve of 16 MiB", policy: { reserveBytes: 16 * MIB } },
  { title: "reserve of all, decay 1 s", policy: { reserveBytes: ALL, decayMs: 1000 } },
  { title: "reserve of all, decay 10 s", policy: { reserveBytes: ALL, decayMs: 10_000 }, pauseMs: 12_000 },
];

export async function run({ quick, runtimes: [node], child }) {
  const results = [];
  for (const { title, policy, pauseMs = 3000 } of POLICIES) {
    const job = { policy, mib: BURST_MIB, capacityMib: 64, everyMs: EVERY_MS };
    const times = quick ? { activeMs: 1000, pauseMs: 1500 } : { activeMs: 4000, pauseMs };
    results.push({ title, ...times, ...(await child({ case: "decay", ...job, ...times }, node)) });
  }
  return results;
}

export function tables(results) {
  const rows = results.map((result) => [
    result.title,
    fixed(result.burstMs, 2),
    fixed(result.callsPerSecond, 0),
    fixed(result.mibPerSecond, 0),
    mib(result.heldActive, 1),
    mib(result.heldAtEnd, 2),
    result.emptyAfterMs === null ? "never" : fixed(result.emptyAfterMs / 1000),
    share(result.idleCpuShare, 2),
  ]);
  return [
    {
      title: `Decay: ${BURST_MIB} MiB every ${EVERY_MS} ms for ${results[0].activeMs / 1000} s, then a pause`,
      header: [
        "policy",
        "ms/burst",
        "calls/s",
        "MiB/s released",
        "resident between bursts, MiB",
        "at the pause's end",
        "below 1 MiB after, s",
        "CPU in the pause",
      ],
      rows,
    },
  ];
}
