/** Tables of text: for the terminal, and for a document. */

export const MIB = 2 ** 20;
export const mib = (bytes, digits = 0) => (bytes === null ? "-" : (bytes / MIB).toFixed(digits));
export const share = (ratio, digits = 1) => `${(ratio * 100).toFixed(digits)}%`;
export const fixed = (value, digits = 1) => (value === null ? "-" : value.toFixed(digits));
/** A size in the unit it is a round number of. */
export function size(bytes) {
  if (bytes === 0) return "0";
  return bytes % MIB === 0 ? `${bytes / MIB} MiB` : `${bytes / 1024} KiB`;
}

/** A table is `{ title, header, rows, notes }`; everything in it is text. */
export function printTable({ title, header, rows, notes = [] }) {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  console.log(`\n${title}`);
  for (const line of lines) {
    const cells = line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])));
    console.log(cells.join("  ").trimEnd());
  }
  for (const note of notes) console.log(note);
}

export function markdownTable({ title, header, rows, notes = [] }) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const rule = header.map((_, column) => (column === 0 ? "---" : "---:"));
  return [
    `### ${title}`,
    "",
    ...[header, rule, ...rows].map(line),
    "",
    ...notes.flatMap((n) => [n, ""]),
  ].join("\n");
}
