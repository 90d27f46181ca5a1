/**
 * The transformed sources are the shipped ones: a single worker that nobody interrupts leaves the same words behind as
 * the plain version does, operation by operation; and what cannot be transformed is refused.
 */
import ts from "typescript";
import { beforeAll, describe, expect, test } from "vitest";
import { DepthFirst } from "./driver.js";
import { ATOMIC_OPS, instrument } from "./instrument.js";
import {
  advance,
  alloc,
  close,
  discard,
  enter,
  exit,
  free,
  label,
  large,
  type Op,
  retain,
  sync,
} from "./ops.js";
import { type Compiled, Sources } from "./source.js";
import { World } from "./world.js";

let code: Compiled;
beforeAll(async () => {
  code = await new Sources().compile();
});

/** Words after the script, run by the stoppable version alone, and by plain calls. */
function bothWays(script: readonly Op[], plainly: (world: World) => void): [Int32Array, Int32Array] {
  const scenario = { name: "alone", about: "one worker", scripts: [script], slabs: 6 };
  const limits = { preemptions: 0, kills: 0, delays: 0 };
  const stepping = new World(scenario, code, "sc", limits, new DepthFirst());
  stepping.reset();
  stepping.machine.run();
  expect(stepping.machine.violation).toBeUndefined();
  const plain = new World(scenario, code, "sc", limits, new DepthFirst());
  plain.reset();
  plainly(plain);
  return [stepping.m, plain.m];
}

function heapOf(world: World): InstanceType<World["plain"]["SlabHeap"]> {
  const a = world.actors[0]?.heap._a;
  if (a === undefined) throw new Error("no seat");
  return new world.plain.SlabHeap(a);
}

describe("what one worker does alone", () => {
  test("objects, runs, epochs, discards", () => {
    const [stepping, plain] = bothWays(
      [
        alloc("a"),
        alloc("b"),
        alloc("c"),
        free("b"),
        large("r", 1),
        advance,
        alloc("d"),
        free("r"),
        close(3),
        alloc("e"),
        discard(2),
        sync,
        free("d"),
      ],
      (world) => {
        const heap = heapOf(world);
        const [, b] = [heap.alloc(2048), heap.alloc(2048), heap.alloc(2048)];
        heap.free(b as never);
        const run = heap.alloc(4096);
        heap.advanceEpoch();
        const d = heap.alloc(2048);
        heap.free(run);
        heap.closeEpoch({ id: 1 as never, era: 3 });
        heap.alloc(2048);
        heap.discardEpoch({ id: 0 as never, era: 2 });
        heap.poll();
        heap.free(d);
      },
    );
    expect(stepping).toEqual(plain);
  });

  test("domains, references, labels", () => {
    const [stepping, plain] = bothWays(
      [enter("d", { label: "first" }), alloc("x"), label(0, "again"), retain(0), exit("d"), sync],
      (world) => {
        const heap = heapOf(world);
        const domain = heap.openDomain({ label: "first", autoClose: true });
        heap.alloc(2048);
        heap.setEpochLabel(0 as never, "again");
        heap.retainEpoch(0 as never);
        domain.exit();
        heap.poll();
      },
    );
    expect(stepping).toEqual(plain);
  });

  test("every access of the sources can be stopped at", () => {
    expect(code.accesses).toBeGreaterThan(350);
    // What is left of Atomics and of plain element accesses is in the files named in source.ts.
    expect(code.stepping).toContain("function* allocSlow");
    for (const op of ATOMIC_OPS) expect(code.stepping).not.toMatch(new RegExp(`return Atomics\\.${op}\\(`));
  });
});

const dense = (text: string): string => text.replaceAll(/\s/g, "");

describe("transforming a text", () => {
  const host = ts.createCompilerHost({});
  const read = host.getSourceFile.bind(host);
  const libraries = new Map<string, ts.SourceFile | undefined>();
  const transform = (text: string): string => {
    host.getSourceFile = (name, version) => {
      if (name === "x.ts") return ts.createSourceFile(name, text, version, true);
      const known = libraries.get(name) ?? read(name, version);
      libraries.set(name, known);
      return known;
    };
    const program = ts.createProgram(["x.ts"], { target: ts.ScriptTarget.ES2022, strict: true }, host);
    return instrument(program, (file) => file === "x.ts").texts.get("x.ts") as string;
  };

  test.each([
    [
      "a read",
      "function f(m: Int32Array) { return m[1]; }",
      "function* f(m: Int32Array) { return (G.read(m, 1) && (yield), G.get()); }",
    ],
    [
      "a write",
      "function f(m: Int32Array) { m[1] = 2; }",
      "function* f(m: Int32Array) { (G.write(m, 1, 2) && (yield), G.put()); }",
    ],
    [
      "an atomic operation",
      "function f(m: Int32Array) { return Atomics.add(m, 1, 2); }",
      "function* f(m: Int32Array) { return (G.atomic(5, m, 1, 2, 0) && (yield), G.rmw()); }",
    ],
    [
      "a call of such a function, and nothing else",
      "function f(m: Int32Array) { return m[0]; } function g(m: Int32Array) { return f(m) + h(); } function h() { return 1; }",
      "function* g(m: Int32Array) { return (yield* f(m)) + h(); } function h() { return 1; }",
    ],
    [
      "a callback whose function only the run knows",
      "function f(visit: (n: number) => void) { visit(1); }",
      "function* f(visit: (n: number) => void) { (yield* G.call(visit(1))); }",
    ],
    [
      "an arrow function of an array method",
      "function f(m: Int32Array, list: number[]) { return list.map((i) => m[i]); }",
      "(yield* G.map(list, (function* (i) { return (G.read(m, i) && (yield), G.get()); })))",
    ],
    [
      "an array that is not shared",
      "function f(list: number[]) { return list[0]; }",
      "function f(list: number[]) { return list[0]; }",
    ],
  ])("%s", (_, text, expected) => {
    expect(dense(transform(text))).toContain(dense(expected));
  });

  test.each([
    ["a read and a write in one", "function f(m: Int32Array) { m[0] += 1; }"],
    ["counting up", "function f(m: Int32Array) { m[0]++; }"],
    ["an operation it does not know", "function f(m: Int32Array) { Atomics.xor(m, 0, 1); }"],
    [
      "a call in a constructor",
      "function f(m: Int32Array) { return m[0]; } class C { constructor(m: Int32Array) { f(m); } }",
    ],
    [
      "a callback for a function that does not stop",
      "function f(m: Int32Array) { m[0] = 1; setTimeout(() => m[0]); }",
    ],
  ])("refuses %s", (_, text) => {
    expect(() => transform(text)).toThrow("x.ts:1");
  });
});
