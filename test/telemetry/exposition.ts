/**
 * Reads the text exposition format 0.0.4, and refuses whatever a strict reader of the format may refuse: written for tests,
 * from the format's description, without any of the writer's code.
 */
import { expect } from "vitest";

export interface Sample {
  /** Name on the line, with `_bucket`, `_sum` or `_count` of histograms. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** As written. */
  readonly text: string;
  readonly value: number;
}

export interface ParsedFamily {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: Sample[];
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const HELP = new RegExp(`^# HELP (${NAME}) (.+)$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`);
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y;
const NUMBER = /^(?:[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?|NaN|[+-]Inf)$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is what is checked
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f]/;

export function parseExposition(text: string): ParsedFamily[] {
  expect(text.endsWith("\n")).toBe(true);
  expect(text).not.toMatch(CONTROL);
  expect(new TextDecoder().decode(new TextEncoder().encode(text))).toBe(text);
  const families: ParsedFamily[] = [];
  const names = new Set<string>();
  const seen = new Set<string>();
  const lines = text.slice(0, -1).split("\n");
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    if (!line.startsWith("#")) {
      const family = families.at(-1);
      if (family === undefined) throw new Error(`no family before ${line}`);
      const sample = parseSample(line, family);
      const identity = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
      if (seen.has(identity)) throw new Error(`twice: ${line}`);
      seen.add(identity);
      family.samples.push(sample);
      continue;
    }
    const [, name = "", help = ""] = HELP.exec(line) ?? [];
    const [, typed, type = ""] = TYPE.exec(lines[++i] ?? "") ?? [];
    if (name === "" || typed !== name) throw new Error(`no HELP and TYPE of one family: ${line}`);
    if (names.has(name)) throw new Error(`in two places: ${name}`);
    names.add(name);
    families.push({ name, help, type, samples: [] });
  }
  for (const family of families) {
    if (family.samples.length === 0) throw new Error(`nothing of ${family.name}`);
    if (family.type === "histogram") checkHistogram(family);
  }
  return families;
}

function parseSample(line: string, family: ParsedFamily): Sample {
  const [, name = "", labelText, text = ""] = SAMPLE.exec(line) ?? [];
  const suffixes = family.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
  if (!suffixes.some((suffix) => name === family.name + suffix)) throw new Error(`no sample: ${line}`);
  if (!NUMBER.test(text)) throw new Error(`no number: ${line}`);
  const value = Number(text.replace("Inf", "Infinity"));
  if (family.type !== "gauge" && !(value >= 0)) throw new Error(`no count: ${line}`);
  return { name, labels: parseLabels(labelText), text, value };
}

function parseLabels(text: string | undefined): Record<string, string> {
  const labels: Record<string, string> = {};
  if (text === undefined) return labels;
  LABEL.lastIndex = 0;
  let at = 0;
  while (at < text.length) {
    const match = LABEL.exec(text);
    if (match === null) throw new Error(`no labels: {${text}}`);
    const [, name = "", value = "", more] = match;
    if (name in labels) throw new Error(`label twice: {${text}}`);
    labels[name] = value.replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c));
    at = LABEL.lastIndex;
    if (more === "," && at === text.length) throw new Error(`ends in a comma: {${text}}`);
  }
  return labels;
}

function checkHistogram({ name, samples }: ParsedFamily): void {
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  const bounds = buckets.map((sample) => Number((sample.labels.le ?? "").replace("Inf", "Infinity")));
  expect(bounds).toEqual([...new Set(bounds)].sort((a, b) => a - b));
  expect(bounds.at(-1)).toBe(Infinity);
  const counts = buckets.map((sample) => BigInt(sample.text));
  for (const [i, count] of counts.entries()) expect(count >= (counts[i - 1] ?? 0n)).toBe(true);
  expect(samples.slice(-2).map((sample) => sample.name)).toEqual([`${name}_sum`, `${name}_count`]);
  expect(samples.at(-1)?.text).toBe(buckets.at(-1)?.text);
}
