/** The table of metrics in docs/metrics.md. `npm run generate` writes it there. */
import { metricFamilies } from "./families.js";

/** What surrounds the table in the file. */
export const TABLE_BEGINS = "<!-- metrics: made by `npm run generate`, from here -->";
export const TABLE_ENDS = "<!-- to here -->";

/** The document with the table in its place. Throws when the place is not marked. */
export function withMetricsTable(markdown: string): string {
  const from = markdown.indexOf(TABLE_BEGINS);
  const to = markdown.indexOf(TABLE_ENDS);
  if (from < 0 || to < from) throw new Error(`docs/metrics.md lacks ${TABLE_BEGINS} and ${TABLE_ENDS}`);
  return `${markdown.slice(0, from)}${TABLE_BEGINS}\n${metricsTable()}${markdown.slice(to)}`;
}

export function metricsTable(): string {
  const row = (columns: readonly string[]): string =>
    `| ${columns.map((text) => text.replaceAll("|", "\\|")).join(" | ")} |\n`;
  const head = ["Metric", "Type", "Unit", "Labels", "Meaning", "From"];
  const families = metricFamilies({ prefix: "" }).map((family) => [
    `\`${family.name}\``,
    family.type,
    family.unit,
    family.labels.join(", "),
    family.help,
    family.from,
  ]);
  return row(head) + row(head.map(() => "---")) + families.map(row).join("");
}
