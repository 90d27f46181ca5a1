/** What DevTools expects of a `.heapprofile`: HeapProfiler.SamplingHeapProfile of the Chrome DevTools protocol. */

const NODE = ["callFrame", "children", "id", "selfSize"];
const CALL_FRAME = ["columnNumber", "functionName", "lineNumber", "scriptId", "url"];
const SAMPLE = ["nodeId", "ordinal", "size"];

type Bag = Record<string, unknown>;

/** Everything that is wrong with `profile`, which is what JSON.parse made of a file. */
export function checkProfile(profile: unknown): string[] {
  const problems: string[] = [];
  const selfSizes = new Map<unknown, number>();
  const scripts = new Map<unknown, unknown>();
  const has = (value: unknown, keys: readonly string[], path: string): value is Bag => {
    const own = typeof value === "object" && value !== null ? Object.keys(value).sort() : [];
    if (own.join() === keys.join()) return true;
    problems.push(`${path} has [${own}], not [${keys}]`);
    return false;
  };
  const whole = (value: unknown, min: number, path: string): void => {
    if (!Number.isSafeInteger(value) || (value as number) < min) problems.push(`${path} is ${value}`);
  };
  const walk = (node: unknown, path: string): void => {
    if (!has(node, NODE, path)) return;
    whole(node.id, 1, `${path}.id`);
    whole(node.selfSize, 0, `${path}.selfSize`);
    if (selfSizes.has(node.id)) problems.push(`${path}.id ${node.id} is not unique`);
    selfSizes.set(node.id, node.selfSize as number);
    if (has(node.callFrame, CALL_FRAME, `${path}.callFrame`)) {
      const { functionName, scriptId, url, lineNumber, columnNumber } = node.callFrame;
      if (typeof functionName !== "string") problems.push(`${path} has no function name`);
      if (typeof url !== "string") problems.push(`${path} has no url`);
      if (typeof scriptId !== "string" || !/^\d+$/.test(scriptId))
        problems.push(`${path}.scriptId is ${scriptId}`);
      if (scripts.has(scriptId) && scripts.get(scriptId) !== url)
        problems.push(`${path}.scriptId names two urls`);
      scripts.set(scriptId, url);
      whole(lineNumber, -1, `${path}.lineNumber`);
      whole(columnNumber, -1, `${path}.columnNumber`);
    }
    if (!Array.isArray(node.children)) problems.push(`${path}.children is no array`);
    else for (const [i, child] of node.children.entries()) walk(child, `${path}.${i}`);
  };

  if (!has(profile, ["head", "samples"], "profile")) return problems;
  walk(profile.head, "head");
  if (!Array.isArray(profile.samples)) return [...problems, "samples is no array"];
  let last = 0;
  for (const [i, sample] of profile.samples.entries()) {
    if (!has(sample, SAMPLE, `samples.${i}`)) continue;
    whole(sample.size, 1, `samples.${i}.size`);
    whole(sample.ordinal, last + 1, `samples.${i}.ordinal`);
    last = sample.ordinal as number;
    const left = selfSizes.get(sample.nodeId);
    if (left === undefined) problems.push(`samples.${i} names node ${sample.nodeId}, which is not there`);
    else selfSizes.set(sample.nodeId, left - (sample.size as number));
  }
  for (const [id, left] of selfSizes) {
    if (left !== 0) problems.push(`node ${id} has ${left} bytes its samples do not account for`);
  }
  return problems;
}
