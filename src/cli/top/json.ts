/** `top --json`: the rows with everything known about them, one object per line. */

import type { StatsDocument } from "../../stats.js";
import { jsonLine } from "../json.js";
import { type Order, rankClasses, rankEpochs, type Span } from "./ranking.js";

export function topJson(document: StatsDocument, order: Order, span: Span | undefined): string {
  return jsonLine({
    version: 1,
    timestamp_ms: Number(document.timestamp_ns / 1_000_000n),
    kind: order.kind,
    by: order.kind === "classes" ? order.by.name : order.by,
    order: order.ascending ? "ascending" : "descending",
    window_sec: span?.seconds ?? null,
    rows: rowsOf(document, order, span),
  });
}

function rowsOf(document: StatsDocument, order: Order, span: Span | undefined): readonly unknown[] {
  if (order.kind === "epochs")
    return rankEpochs(document, order).map(({ row, value }) => ({ ...row, value }));
  return rankClasses(document, order, span).map(({ row, value }) => ({ ...row, value }));
}
