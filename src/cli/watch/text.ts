/** Figures as people read them. */
import type { Count } from "../../stats.js";
import { formatBytes, formatCount, formatRate } from "../format.js";
import type { Unit } from "./figures.js";
import type { Reading } from "./interval.js";

/** What is not known. */
export const UNKNOWN = "-";

export function amountText(value: Count | null, unit: Unit): string {
  if (value === null) return UNKNOWN;
  if (unit === "count") return formatCount(value);
  const number = Number(value);
  return unit === "bytes" ? formatBytes(number) : number.toFixed(number < 10 ? 2 : 1);
}

/** A change that may be in either direction has its sign. */
export function changeText({ figure, change }: Reading): string {
  if (change === null) return figure.unit === "percent" ? "" : UNKNOWN;
  const text = amountText(change, figure.unit);
  return figure.kind === "gauge" && change > 0 ? `+${text}` : text;
}

export function perSecText({ figure, perSec }: Reading): string {
  if (figure.kind === "gauge") return "";
  if (perSec === null) return UNKNOWN;
  if (figure.unit === "bytes") return formatBytes(Math.round(perSec));
  return perSec > 0 && perSec < 10 ? perSec.toFixed(1) : formatRate(perSec);
}
