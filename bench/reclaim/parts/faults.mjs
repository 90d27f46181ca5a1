/** What the next user of a released page pays. */
import { median } from "../../stats.mjs";
import { fixed } from "../report.mjs";

export async function run({ rounds, runtimes: [node], child }) {
  const samples = [];
  for (let round = 0; round < rounds; round++) samples.push(await child({ case: "faults" }, node));
  return samples;
}

export function tables(samples) {
  const mid = (pick) => median(samples.map(pick));
  const row = (title, state) => [
    title,
    fixed(
      mid((s) => s[state]),
      0,
    ),
    fixed(
      mid((s) => s[state] - s.warm),
      0,
    ),
    fixed(
      mid((s) => s[state] / s.warm),
      2,
    ),
    fixed(
      mid((s) => ((s[state] - s.warm) * 256) / 1000),
      0,
    ),
  ];
  return [
    {
      title: "Filling a page with four objects of 1 KiB",
      header: ["page", "ns/page", "above warm", "ratio", "us per MiB above warm"],
      rows: [
        row("warm: freed and kept", "warm"),
        row("released and taken again", "released"),
        row("never touched (its metadata neither)", "never"),
      ],
      notes: ["Alloc and first write."],
    },
  ];
}
