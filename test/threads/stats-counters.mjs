// Every counter of a stats document, by path, taken from the declared fields; what went back between two documents.
// Plain JavaScript because worker threads load it without a transform; stats-counters.d.mts has the types.

/** Rows of a section with the name each goes by: a seat or class keeps its name when rows come and go. */
function rowsOf(document, section) {
  const { key } = section;
  if (key === "") return [["", document]];
  if (key === "classes") return document.classes.map((row) => [`classes[${row.class_index}].`, row]);
  if (key === "workers") return (document.workers ?? []).map((row) => [`workers[seat ${row.seat}].`, row]);
  if (key === "latency") {
    return Object.entries(document.latency ?? {}).map(([name, row]) => [`latency.${name}.`, row]);
  }
  const row = document[key];
  return row === undefined || row === null || Array.isArray(row) ? [] : [[`${key}.`, row]];
}

/** All counters of the document, by path. `sections` are STATS_SECTIONS of the package, or of its sources. */
export function countersOf(document, sections) {
  const counters = new Map();
  for (const section of sections) {
    const fields = section.fields.filter((field) => field.kind === "counter");
    for (const [path, row] of rowsOf(document, section)) {
      for (const { name, type } of fields) {
        if (type !== "object") counters.set(path + name, Number(row[name]));
        else for (const [start, n] of row[name]) counters.set(`${path}${name}[${start}]`, Number(n));
      }
    }
  }
  return counters;
}

/** What is smaller in `after`, in words; a counter that is missing there counts as 0. */
export function wentBack(before, after) {
  const found = [];
  for (const [path, value] of before) {
    const now = after.get(path) ?? 0;
    if (!(now >= value)) found.push(`${path} went back from ${value} to ${now}`);
  }
  return found;
}

/** Gauges that cannot be negative, and figures that belong together at any time, quiet or not. */
export function impossible(document) {
  const found = [];
  const look = (path, value) => {
    if (typeof value === "number" && !(value >= 0)) found.push(`${path} is ${value}`);
    else if (typeof value === "bigint" && value < 0n) found.push(`${path} is ${value}`);
    else if (typeof value === "object" && value !== null) {
      for (const [key, inner] of Object.entries(value)) {
        if (MAY_BE_NEGATIVE.has(key)) continue;
        look(Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`, inner);
      }
    }
  };
  look("document", document);
  for (const row of document.classes) {
    const { class_index: index, bitmap_alloc_attempts: allocs, bitmap_free_attempts: frees } = row;
    if (frees > allocs) found.push(`class ${index}: ${frees} objects freed, ${allocs} allocated`);
  }
  return found;
}

/** Names, and differences. */
const MAY_BE_NEGATIVE = new Set(["class_index", "thread_id", "rss_delta_bytes", "cooperation_pct"]);
