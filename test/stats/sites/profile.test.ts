/**
 * Defends: a profile is what Chrome DevTools opens as a `.heapprofile`: the tree of callers, with every sample's bytes
 * where they belong.
 * Method: the structure is checked by check-profile.ts after a trip through JSON; it is fed profiles that must fail.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SlabHeap } from "../../../src/allocator/heap/heap.js";
import type { Handle } from "../../../src/allocator/types.js";
import { type SiteSampler, sampleSites } from "../../../src/stats/sites/sampler.js";
import { checkProfile } from "./check-profile.js";

let heap: SlabHeap;

beforeEach(() => {
  heap = SlabHeap.create({ capacity: 2 ** 20, maxWorkers: 2 });
});
afterEach(() => heap.detach());

const every = (): SiteSampler => sampleSites(heap, { bytesPerSample: 1, seed: 1 });

function leaky(size: number): Handle {
  return heap.alloc(size);
}

describe("the profile", () => {
  const sampled = (): unknown => {
    using sampler = every();
    leaky(10);
    for (const size of [20, 30]) leaky(size);
    heap.allocOffset(40);
    return JSON.parse(JSON.stringify(sampler.profile()));
  };

  test("is what DevTools opens: a tree from the outermost caller, positions from 0", () => {
    const profile = sampled() as { head: Node; samples: unknown[] };
    interface Node {
      callFrame: { functionName: string; lineNumber: number };
      selfSize: number;
      children: Node[];
    }
    expect(checkProfile(profile)).toEqual([]);
    expect(profile.head.callFrame).toEqual({
      functionName: "(root)",
      scriptId: "0",
      url: "",
      lineNumber: -1,
      columnNumber: -1,
    });
    const paths: [string, number][] = [];
    const walk = (node: Node, path: string): void => {
      if (node.selfSize > 0) paths.push([path, node.selfSize]);
      for (const child of node.children) walk(child, `${path} > ${child.callFrame.functionName}`);
    };
    walk(profile.head, "");
    expect(paths.map(([path, size]) => [path.split(" > ").slice(-2).join(" > "), size])).toEqual([
      ["sampled > leaky", 10],
      ["sampled > leaky", 50],
      [expect.stringContaining("sampled"), 40],
    ]);
    expect(profile.samples).toHaveLength(4);
  });

  test("counts lines and columns from 0, sites from 1", () => {
    using sampler = every();
    leaky(10);
    const [{ line, column }] = sampler.sites()[0].frames;
    let leaf = sampler.profile().head;
    while (leaf.children.length > 0) leaf = leaf.children[0];
    expect([leaf.callFrame.lineNumber, leaf.callFrame.columnNumber]).toEqual([line - 1, column - 1]);
  });

  type Broken = Record<string, never> & { head: never; samples: never[] };
  test.each<[string, (profile: Broken) => void]>([
    ["a member too many", (p) => Object.assign(p, { more: 1 })],
    ["no samples", (p) => Reflect.deleteProperty(p, "samples")],
    ["a node without children", (p) => Reflect.deleteProperty(p.head, "children")],
    ["an id twice", (p) => Object.assign((p.head as { children: object[] }).children[0], { id: 1 })],
    ["half a byte", (p) => Object.assign(p.head, { selfSize: 0.5 })],
    ["bytes of no sample", (p) => Object.assign(p.head, { selfSize: 5 })],
    ["a sample of no node", (p) => Object.assign(p.samples[0], { nodeId: 12345 })],
    ["samples out of order", (p) => p.samples.reverse()],
    [
      "a line below -1",
      (p) => Object.assign((p.head as { callFrame: object }).callFrame, { lineNumber: -2 }),
    ],
    [
      "a number as script",
      (p) => Object.assign((p.head as { callFrame: object }).callFrame, { scriptId: 0 }),
    ],
    [
      "one script, two urls",
      (p) => Object.assign((p.head as { callFrame: object }).callFrame, { scriptId: "1" }),
    ],
    [
      "a name missing",
      (p) => Object.assign((p.head as { callFrame: object }).callFrame, { functionName: null }),
    ],
  ])("its checker notices %s", (_name, damage) => {
    const profile = sampled();
    damage(profile as Broken);
    expect(checkProfile(profile)).not.toEqual([]);
  });
});
