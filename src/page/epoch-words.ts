/** An epoch in words, for its details, the table of all, and screen readers. */
import type { LiveEpoch } from "../http/live-state.js";
import { bytes, count, duration, plural } from "./format.js";

/** Appearance of an epoch in the ring. */
export type EpochLook = "active" | "closing" | "discarded" | "unused";

export function lookOf(epoch: LiveEpoch): EpochLook {
  if (epoch.state === "UNUSED") return "unused";
  if (epoch.discarded) return "discarded";
  return epoch.state === "ACTIVE" ? "active" : "closing";
}

export const LOOK_WORDS: Readonly<Record<EpochLook, string>> = {
  active: "Active",
  closing: "Closing",
  discarded: "Discarded",
  unused: "Unused",
};

export const EPOCH_FACTS = [
  "Label",
  "Era",
  "Age",
  "References",
  "Live objects",
  "of older eras",
  "Oldest content",
  "Slabs",
  "Memory",
] as const;

export function factsOf(epoch: LiveEpoch): Readonly<Record<(typeof EPOCH_FACTS)[number], string>> {
  const { slabs, fullSlabs, reclaimableSlabs } = epoch;
  const unused = epoch.state === "UNUSED";
  const or = (text: string): string => (unused ? "–" : text);
  return {
    Label: or(epoch.label === "" ? "(unlabeled)" : epoch.label),
    Era: or(count(epoch.era)),
    Age: or(duration(epoch.ageSec)),
    References: or(count(epoch.refcount)),
    "Live objects": or(count(epoch.liveObjects)),
    "of older eras": or(count(epoch.olderLiveObjects)),
    "Oldest content": or(epoch.oldestAgeSec > 0 ? `${duration(epoch.oldestAgeSec)} old` : "none"),
    Slabs: or(`${count(slabs)}: ${count(fullSlabs)} full, ${count(reclaimableSlabs)} reclaimable`),
    Memory: or(bytes(epoch.bytes)),
  };
}

/** The name of its cell, all in one. */
export function nameOf(epoch: LiveEpoch, leaks: number): string {
  const look = lookOf(epoch);
  const words = [
    `Epoch ${epoch.id}`,
    epoch.current ? `${LOOK_WORDS[look].toLowerCase()}, current` : LOOK_WORDS[look].toLowerCase(),
  ];
  if (look !== "unused") {
    words.push(
      `era ${epoch.era}`,
      `age ${duration(epoch.ageSec)}`,
      epoch.label === "" ? "unlabeled" : `label ${epoch.label}`,
      plural(epoch.refcount, "reference"),
      plural(epoch.liveObjects + epoch.olderLiveObjects, "live object"),
      bytes(epoch.bytes),
    );
  }
  if (leaks > 0) words.push(plural(leaks, "leak"));
  return words.join(", ");
}
