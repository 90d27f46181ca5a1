/** 256 MiB in one epoch, freed and closed: does the process get smaller, and what does the close cost? */
import { verdict } from "../../looks.mjs";
import { median } from "../../stats.mjs";
import { MIB, SHAPES } from "../bursts.mjs";
import { fixed, mib, share } from "../report.mjs";

const GOAL = 0.95;

export async function run({ rounds, quick, runtimes, child }) {
  const bursts = [];
  const burstMib = quick ? 64 : 256;
  for (const runtime of runtimes) {
    for (const shape of Object.keys(SHAPES)) {
      const result = { runtime: runtime.name, shape, burstMib, with: [], without: [] };
      for (let round = 0; round < rounds; round++) {
        for (const releases of round % 2 ? [false, true] : [true, false]) {
          const job = { case: "burst", releases, shape, mib: burstMib, capacityMib: 4 * burstMib };
          result[releases ? "with" : "without"].push(await child(job, runtime));
        }
      }
      bursts.push(result);
    }
  }
  return bursts;
}

/** Figures of one runtime and shape: medians over rounds, shortest times of all rounds for differences. */
function figures(result) {
  const mid = (kind, pick) => median(result[kind].map(pick));
  // Of differences the shortest times: what interrupts a close in one of the two is no part of what it costs.
  const best = (kind, name) => Math.min(...result[kind].map((round) => round[name]));
  const perMib = (ms) => (ms * 1000) / (result.with[0].released / MIB);
  const fall = (states, what) => Math.max(states.peak[what], states.freed[what]) - states.after[what];
  // What the epoch held in memory; where the system does not tell, what was committed, which is no less.
  const held = ({ before, peak }) => (peak.payload === null ? peak.committed : peak.payload - before.payload);
  const backOf = (what) => (round) => fall(round.states, what) / held(round.states);
  return {
    mid,
    process: mid("with", backOf("rss")),
    // The system did not say how many pages are resident: no figure rather than a flattering one.
    payload: result.with[0].states.peak.payload === null ? null : mid("with", backOf("payload")),
    usPerMib: perMib(best("with", "closeMs") - best("without", "closeMs")),
    systemUsPerMib: perMib(best("with", "ms")),
  };
}

export function tables(bursts) {
  const released = bursts.filter((result) => result.with.every(({ released }) => released > 0));
  const rows = bursts.flatMap((result) => {
    const { mid, process, payload, usPerMib, systemUsPerMib } = figures(result);
    const isReleased = released.includes(result);
    const row = (kind) => [
      `${result.with[0].runtime}, ${SHAPES[result.shape]}, ${kind === "with" ? result.with[0].backend : "no releaser"}`,
      ...["before", "peak", "after"].map((state) => mib(mid(kind, ({ states }) => states[state].rss))),
      ...["peak", "after"].map((state) => mib(mid(kind, ({ states }) => states[state].payload))),
      mib(mid(kind, ({ states }) => states.after.metadata)),
      ...(kind === "with" && isReleased
        ? [share(process), payload === null ? "-" : share(payload), verdict(process >= GOAL)]
        : ["-", "-", isReleased ? "" : "none"]),
      fixed(mid(kind, ({ closeMs }) => closeMs)),
      kind === "with" && isReleased ? `${fixed(usPerMib, 0)} (${fixed(systemUsPerMib, 0)})` : "-",
      kind === "with" ? String(mid(kind, ({ calls }) => calls)) : "-",
      kind === "with"
        ? fixed(
            mid(kind, ({ longestMs }) => longestMs),
            2,
          )
        : "-",
    ];
    return [row("with"), row("without")];
  });
  const { burstMib } = bursts[0];
  const title = `${burstMib} MiB in one epoch, freed and closed (MiB; ${4 * burstMib} MiB heap, default reserve)`;
  const header = [
    "",
    "RSS before",
    "peak",
    "after",
    "payload peak",
    "after",
    "metadata after",
    "back, process",
  ];
  header.push(
    "back, payload",
    `>= ${share(GOAL, 0)}`,
    "close, ms",
    "us/MiB (madvise)",
    "calls",
    "longest, ms",
  );
  const notes = [
    "back: what the process's RSS, and the resident pages of the heap's payload, fell by, of what the epoch held in memory. us/MiB: the shortest close above the shortest without a releaser, and the part of it within madvise.",
  ];
  for (const { with: rounds } of bursts) {
    if (rounds[0].released === 0) notes.push(`${rounds[0].runtime}: nothing released: ${rounds[0].reason}`);
  }
  return [{ title, header, rows, notes }];
}

/** The exit code tells broken from slow: a goal that was missed is printed, no page back at all is a fault. */
export function faults(bursts) {
  return bursts
    .filter(({ with: rounds }) => rounds.some((round) => round.backend !== "none" && round.released === 0))
    .map(({ runtime, shape }) => `${runtime}, ${shape}: the close released nothing`);
}
