/** Results as text: the table, the tails, what else was measured; for the terminal or as Markdown. */
import { goals } from "./goals.mjs";
import { rows, titles } from "./rows.mjs";
import { ratioOf } from "./stats.mjs";

const figure = (x) => (x === undefined ? "" : x < 10 ? x.toFixed(2) : x < 100 ? x.toFixed(1) : x.toFixed(0));
/** Small ratios read better as fractions: 1/30 rather than 0.03x. */
const ratioText = (x) => (x < 0.095 && x > 0 ? `1/${(1 / x).toFixed(0)}` : `${x.toFixed(2)}x`);

function goalText(goal, unit) {
  const sign = goal.atMost === undefined ? ">=" : "<=";
  const bound = goal.atMost ?? goal.atLeast;
  return `${sign} ${goal.against ? ratioText(bound) : `${bound} ${goal.unit ?? unit}`}`;
}
const isMet = (goal, x) => (goal.atMost === undefined ? x >= goal.atLeast : x <= goal.atMost);

/**
 * Every comparison as plain data: `results` is what run.mjs collected, one entry per row with a
 * summary per contender. The first line of a row is ours alone, then one per contender.
 */
export function compare(results) {
  const lines = [];
  for (const { row, summaries } of results) {
    const ours = summaries.ours;
    const line = (against, metric) => {
      const goal = goals.find((g) => g.row === row.id && g.against === against && g.metric === metric);
      const theirs = against && summaries[against];
      const value = theirs && ours ? ratioOf(ours, theirs) : metric ? ours?.metrics[metric] : ours?.median;
      const met =
        goal && value !== undefined && (!against || (theirs && ours)) ? isMet(goal, value) : undefined;
      lines.push({
        row,
        against,
        metric,
        ours,
        theirs,
        ratio: theirs && ours && !row.noRatio ? value : undefined,
        goal,
        met,
      });
    };
    line();
    for (const goal of goals) if (goal.row === row.id && goal.metric) line(undefined, goal.metric);
    for (const key of row.against) if (summaries[key]) line(key);
  }
  return lines;
}

function mainTable(lines) {
  const cells = [
    ["row", "unit", "ours", "best", "beside", "theirs", "best", "ours/theirs", "best/best", "goal", ""],
  ];
  for (const { row, against, metric, ours, theirs, ratio, goal, met } of lines) {
    const first = !against && !metric;
    cells.push([
      first ? row.title : metric ? `  ${metric}` : "",
      first ? row.unit : "",
      first ? (ours ? figure(ours.median) : "failed") : metric ? figure(ours?.metrics[metric]) : "",
      first ? figure(ours?.best) : "",
      against ? titles[against] : "",
      figure(theirs?.median),
      figure(theirs?.best),
      ratio === undefined ? "" : ratioText(ratio),
      ratio === undefined ? "" : ratioText(ours.best / theirs.best),
      goal ? goalText(goal, row.unit) : "",
      met === undefined ? "" : met ? "ok" : "MISS",
    ]);
  }
  return cells;
}

/** Timer cost already subtracted; the timer's own p99.9 says how much of a tail may be the clock's. */
function tailTable(results) {
  const cells = [
    ["single alloc, ns", "who", "p50", "p99", "p99.9", "p99.99", "max", "timer p50", "timer p99.9"],
  ];
  for (const { row, summaries } of results.filter((result) => result.row.script === "tail"))
    for (const [key, { metrics: m }] of Object.entries(summaries))
      cells.push([
        row.title.replace(" p99.9", ""),
        titles[key],
        ...[m.p50, m.p99, m.p999, m.p9999, m.max, m.timerP50, m.timerP999].map((x) => x.toFixed(0)),
      ]);
  return cells;
}

function extraLines(results) {
  const lines = [];
  for (const { row, summaries } of results.filter((result) => result.row.script !== "tail"))
    for (const [key, { metrics }] of Object.entries(summaries)) {
      const pairs = Object.entries(metrics).map(([name, value]) => `${name} ${figure(value)}`);
      if (pairs.length > 0) lines.push(`${row.title} (${titles[key]}): ${pairs.join(", ")}`);
    }
  return lines;
}

/** Words to the left, figures to the right: a column of which most cells are figures is one of figures. */
function asText(cells) {
  const isFigure = (text) => /^[\d.]+(\/\d+)?x?$/.test(text);
  const columns = cells[0].map((_, column) => {
    const texts = cells.slice(1).map((cell) => cell[column]);
    const filled = texts.filter((text) => text !== "");
    const width = Math.max(...cells.map((cell) => cell[column].length));
    return { width, right: filled.length > 0 && filled.filter(isFigure).length > filled.length / 2 };
  });
  const line = (cell) =>
    cell
      .map((text, i) => (columns[i].right ? text.padStart(columns[i].width) : text.padEnd(columns[i].width)))
      .join("  ")
      .trimEnd();
  const rule = columns.map(({ width }) => "-".repeat(width)).join("  ");
  return [line(cells[0]), rule, ...cells.slice(1).map(line)].join("\n");
}

function asMarkdown(cells) {
  const line = (cell) => `| ${cell.map((text) => text.trim().replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(cells[0]), line(cells[0].map(() => "---")), ...cells.slice(1).map(line)].join("\n");
}

/** The whole report. `format` is "text" or "markdown". */
export function report(results, machine, skipped, format) {
  const table = format === "markdown" ? asMarkdown : asText;
  const lines = compare(results);
  const judged = lines.filter((line) => line.met !== undefined);
  const missed = judged.filter((line) => !line.met);
  const tails = tailTable(results);
  const trip = results.find((result) => result.row.id === "roundtrip")?.summaries.ours;
  const parts = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.platform}, Node ${machine.node}; load ${machine.loadBefore} before, ${machine.loadAfter} after` +
      (trip ? `; core-to-core round trip ${figure(trip.median)} ns` : ""),
    table(mainTable(lines)),
  ];
  if (tails.length > 1) parts.push(table(tails));
  const notes = [...extraLines(results), ...skipped];
  if (notes.length > 0)
    parts.push(notes.map((note) => (format === "markdown" ? `- ${note}` : note)).join("\n"));
  parts.push(`${judged.length - missed.length} of ${judged.length} goals met.`);
  return parts.join("\n\n");
}

export const rowTitles = () => rows.map((row) => `  ${row.id.padEnd(16)}${row.title}`).join("\n");
