/** Defends: defaults come from the pattern, options override them, and the heap is large enough. */
import { describe, expect, it } from "vitest";
import { parseOptions } from "../../../src/cli/args.js";
import { WORKLOAD_OPTIONS } from "../../../src/cli/workload/options.js";
import { PATTERN_NAMES, PATTERNS } from "../../../src/cli/workload/patterns.js";
import { planWorkload } from "../../../src/cli/workload/plan.js";

const MIB = 1024 ** 2;

function setup(args: string) {
  return planWorkload(parseOptions(args.split(" ").filter(Boolean), WORKLOAD_OPTIONS));
}

describe("planWorkload", () => {
  it("without options is a short burst on two threads", () => {
    const { plan, heap, trace } = setup("--threads 2");
    expect(plan).toMatchObject({
      pattern: "burst",
      durationSec: 3,
      handoffPercent: 10,
      killRate: 0,
      repeat: 0,
    });
    expect(plan).toMatchObject({ requestRate: 2000, objectsMin: 80, objectsMax: 200, objectSize: 128 });
    expect(heap).toEqual({ capacity: 64 * MIB, slabSize: 65_536, maxWorkers: 4 });
    expect(trace).toBeUndefined();
  });

  it.each(PATTERN_NAMES)("%s has the parameters of the C program", (name) => {
    expect(setup(`--pattern ${name}`).plan).toMatchObject({
      pattern: name,
      requestRate: PATTERNS[name].requestRate,
      objectSize: PATTERNS[name].objectSize,
      epochEvery: PATTERNS[name].epochEvery,
      freePolicy: PATTERNS[name].freePolicy,
    });
  });

  it("reads how pages go back; kernel keeps no reserve and hands nothing over", () => {
    expect(setup("--threads 2").plan.release).toEqual({ choice: "auto", policy: { onClose: true } });
    const { plan } = setup("--pattern kernel --threads 2");
    expect(plan.release).toEqual({ choice: "auto", policy: { onClose: true, reserveBytes: 0 } });
    expect(plan.handoffPercent).toBe(0);
    expect(setup("--pattern kernel --threads 2 --handoff 10").plan.handoffPercent).toBe(10);
    expect(setup("--pattern kernel --reserve 1MiB --decay 2s --no-release-on-close").plan.release).toEqual({
      choice: "auto",
      policy: { onClose: false, reserveBytes: MIB, decayMs: 2000 },
    });
    expect(setup("--reserve 0").plan.release.policy).toEqual({ onClose: true, reserveBytes: 0 });
    expect(setup("--release none").plan.release.choice).toBe("none");
  });

  it("either end of the object range moves the other along", () => {
    expect(setup("--objs-min 500").plan).toMatchObject({ objectsMin: 500, objectsMax: 500 });
    expect(setup("--objs-max 10").plan).toMatchObject({ objectsMin: 10, objectsMax: 10 });
    expect(setup("--objs-max 100").plan).toMatchObject({ objectsMin: 80, objectsMax: 100 });
  });

  it("reads policies and kill options", () => {
    expect(setup("--epoch-policy batch:7").plan.epochEvery).toBe(7);
    expect(setup("--epoch-policy manual").plan.epochEvery).toBe(0);
    expect(setup("--free-policy leak:2.5").plan.freePolicy).toEqual({ kind: "leak", percent: 2.5 });
    expect(setup("--free-policy within-req --pattern steady").plan.freePolicy).toEqual({
      kind: "within_req",
    });
    expect(setup("--kill-workers").plan.killRate).toBe(2);
    expect(setup("--kill-rate 0.5").plan.killRate).toBe(0.5);
  });

  it("makes room for what stays live, up to the largest heap", () => {
    expect(setup("--pattern leak").heap).toMatchObject({ capacity: 64 * MIB, slabSize: 4096 });
    expect(setup("--pattern leak --duration 60").heap.capacity).toBe(1024 * MIB);
    expect(setup("--pattern leak --duration 86400").heap.capacity).toBe(4096 * MIB);
    expect(setup("--kill-rate 10 --duration 60").heap.capacity).toBe(1024 * MIB);
    expect(setup("--size 100000 --threads 2").heap.capacity).toBe(128 * MIB);
    expect(setup("--size 100000 --capacity 1MiB").heap.capacity).toBe(MIB);
  });
});
