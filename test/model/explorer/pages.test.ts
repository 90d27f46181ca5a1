/**
 * Page releases of logical workers are judged: what one worker releases alone is what the plain sources release, and a
 * releaser that is called for pages it may not have says so. That faults of the hand-over are noticed is for the mutants.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { recordAt, SLAB_TAG } from "../../../src/allocator/memory/layout.js";
import { clearResident } from "../../../src/allocator/words/resident-map.js";
import { packTag, TAG_RELEASING } from "../../../src/allocator/words/slab-tag.js";
import { DepthFirst } from "./driver.js";
import { exploreDepthFirst } from "./explore.js";
import { alloc, close, free, type Op, trim } from "./ops.js";
import type { PagesOptions } from "./pages.js";
import type { Setup } from "./setup.js";
import { type Compiled, Sources } from "./source.js";
import { World } from "./world.js";

let code: Compiled;
beforeAll(async () => {
  code = await new Sources().compile();
});

const LIMITS = { preemptions: 0, kills: 0, delays: 0 };

/** Two slabs that are FREE and have pages; the third has x. */
function setup(s: Setup): void {
  for (const name of ["a", "b", "c", "d"]) s.alloc(1, name);
  for (const name of ["a", "b", "c", "d"]) s.free(1, name);
  s.advance();
  s.sync();
  s.alloc(1, "x", 4096);
}

function worldOf(script: readonly Op[], pages: PagesOptions = {}): World {
  const scenario = { name: "alone", about: "one worker", scripts: [script], slabs: 3, pages, setup };
  const world = new World(scenario, code, "sc", LIMITS, new DepthFirst());
  world.reset();
  return world;
}

describe("what one worker releases alone", () => {
  test.each<[string, readonly Op[], (heap: InstanceType<World["plain"]["SlabHeap"]>) => void]>([
    ["trim", [trim()], (heap) => heap.trim()],
    ["trim, but for one slab", [trim(1)], (heap) => heap.trim({ keepBytes: 4096 })],
    ["close", [close(3)], (heap) => heap.closeEpoch({ id: 1 as never, era: 3 })],
  ])("%s", (_, script, plainly) => {
    const stepping = worldOf(script);
    stepping.machine.run();
    expect(stepping.machine.violation).toBeUndefined();
    const plain = worldOf(script);
    plainly(new plain.plain.SlabHeap((plain.actors[0] as World["actors"][number]).heap._a));
    expect(stepping.m).toEqual(plain.m);
    expect(stepping.pages.released(0).bytes).toBe(plain.pages.released(-1).bytes);
    expect(stepping.pages.released(0).bytes).toBeGreaterThan(0);
  });

  test("a refusal is counted and leaves everything as it was", () => {
    for (const throws of [false, true]) {
      const world = worldOf([trim()], { refuses: () => true, throws });
      world.machine.run();
      expect(world.machine.violation).toBeUndefined();
      expect(world.pages.released(0)).toEqual({ bytes: 0, calls: 1, refused: 1 });
      expect(world.pages.atRest()).toBeUndefined();
    }
  });
});

describe("a releaser says which pages it may not have", () => {
  /** Offset of a slab's pages, and the slab held for them by the end of the run, which is where the test stands. */
  function hold(world: World, slab: number): number {
    const { layout, seat } = world.janitor._a;
    world.m[recordAt(slab) + SLAB_TAG] = packTag(TAG_RELEASING, seat, 0, 0);
    return layout.payloadOffset + slab * layout.slabSize;
  }

  function release(world: World, at: number, bytes: number): string | undefined {
    world.pages.configOf(undefined)?.releaser?.release(world.janitor._a.buffer, at, bytes);
    return world.machine.violation;
  }

  test("slabs it holds: nothing to say", () => {
    const world = worldOf([]);
    expect(release(world, hold(world, 0), 4096)).toBeUndefined();
  });

  test("slabs it does not hold", () => {
    const world = worldOf([]);
    const at = hold(world, 0);
    expect(release(world, at, 8192)).toContain("R2: pages of slab 1 are released while it is FREE");
  });

  test("parts of pages, and what is no payload", () => {
    const world = worldOf([]);
    expect(release(world, hold(world, 0) + 8, 4088)).toContain("R1: 4088 bytes");
    const other = worldOf([]);
    expect(release(other, hold(other, 0) - 4096, 8192)).toContain("are not whole pages of the payload");
  });

  test("pages under a live object, whatever the tag says", () => {
    const world = worldOf([]);
    const x = world.actors[0]?.vars.get("x") as number;
    expect(release(world, hold(world, world.oracle.slabOf(x)), 4096)).toContain(
      "which is live, are released",
    );
    world.machine.violation = undefined;
    world.contents.check(x);
    expect(world.machine.violation).toContain("are lost");
  });

  test("slabs without pages", () => {
    const world = worldOf([]);
    clearResident(world.m, world.janitor._a.layout, 0);
    expect(release(world, hold(world, 0), 4096)).toContain("R3");
  });
});

test("a bounded look waits for whoever lives, and for nobody else", () => {
  const scenario = {
    name: "waits",
    about: "the only slab is being released",
    slabs: 1,
    pages: {},
    setup(s: Setup) {
      s.alloc(1, "a");
      s.free(1, "a");
      s.advance();
      s.sync();
    },
    scripts: [[trim()], [alloc("y", { must: true }), free("y")]],
  };
  const alive = exploreDepthFirst(scenario, code, "sc", { ...LIMITS, preemptions: 2 }, { ms: 60_000 });
  expect(alive.violation).toBeUndefined();
  expect(alive.exhaustive).toBe(true);
  // A dead one holds it for ever: the alloc comes to its end, and fails.
  const dies = { ...scenario, killable: [1] };
  const dead = exploreDepthFirst(dies, code, "sc", { ...LIMITS, kills: 1 }, { ms: 60_000 });
  expect(dead.violation).toContain("alloc y failed: 1");
});
