/**
 * Defends: the parts that find damage find it. Stamps at every length, the claim map at every
 * alignment, and rings that deliver each object once, whoever dies.
 */
import { describe, expect, it } from "vitest";
import { ClaimMap } from "../../../src/cli/workload/claims.js";
import { createRings, Handoff } from "../../../src/cli/workload/handoff.js";
import { mergeLeaks } from "../../../src/cli/workload/leaks.js";
import { Pacer } from "../../../src/cli/workload/pacer.js";
import { Random } from "../../../src/cli/workload/random.js";
import { describeStamp, ownerWord, Stamper } from "../../../src/cli/workload/stamp.js";

describe("Stamper", () => {
  const buffer = new ArrayBuffer(4096);
  const u8 = new Uint8Array(buffer);
  const stamper = new Stamper(new Int32Array(buffer), u8);
  const owner = ownerWord(7, 3);
  const lengths = [...Array(64).keys()].map((i) => i + 1);

  it("notices every changed byte of an object stamped in full", () => {
    for (const length of lengths) {
      stamper.write(64, length, owner, 1234, true);
      expect(stamper.firstMismatch(64, length, owner, 1234, true)).toBe(-1);
      for (let byte = 0; byte < length; byte++) {
        u8[64 + byte] ^= 0x80;
        const at = stamper.firstMismatch(64, length, owner, 1234, true);
        expect(at, `length ${length}, byte ${byte}`).toBe(
          byte < length - (length % 4) ? byte - (byte % 4) : byte,
        );
        const [expected, found] = stamper.compareAt(64, length, owner, 1234, at);
        expect(expected).not.toBe(found);
        u8[64 + byte] ^= 0x80;
      }
    }
  });

  it("stays inside the object", () => {
    for (const length of lengths) {
      u8.fill(0xee);
      stamper.write(64, length, owner, 99, true);
      expect(u8.subarray(0, 64).every((byte) => byte === 0xee)).toBe(true);
      expect(u8.subarray(64 + length).every((byte) => byte === 0xee)).toBe(true);
    }
  });

  it("tells objects apart and says whose they are", () => {
    stamper.write(0, 128, owner, 5, false);
    expect(stamper.firstMismatch(0, 128, owner, 6, false)).toBe(4);
    expect(stamper.firstMismatch(0, 128, ownerWord(8, 3), 5, false)).toBe(0);
    expect(stamper.foundAt(0, 128)).toBe("seat 7 worker 3 object 5");
    expect(describeStamp(ownerWord(255, 65535), -1)).toBe("seat 255 worker 65535 object 4294967295");
  });
});

describe("ClaimMap", () => {
  it("finds every overlap and nothing else", () => {
    for (const [offset, length] of [
      [0, 8],
      [248, 16],
      [256, 256],
      [8, 5000],
      [504, 1],
    ] as const) {
      const map = new ClaimMap(ClaimMap.create(8192));
      expect(map.claim(offset, length)).toBe(true);
      const end = Math.ceil((offset + length) / 8) * 8;
      expect(map.claim(end, 64)).toBe(true);
      if (offset >= 8) expect(map.claim(offset - 8, 8)).toBe(true);
      expect(map.claim(end - 8, 8)).toBe(false);
      expect(map.claim(offset, 1)).toBe(false);
    }
  });

  it("can be claimed again after release, and notices a second release", () => {
    const map = new ClaimMap(ClaimMap.create(8192));
    map.claim(200, 1000);
    expect(map.release(200, 1000)).toBe(true);
    expect(map.release(200, 1000)).toBe(false);
    expect(map.claim(0, 8192)).toBe(true);
  });

  it("reaches beyond 4 GiB", () => {
    const map = new ClaimMap(ClaimMap.create(2 ** 32 + 2 ** 20));
    expect(map.claim(2 ** 32 + 64, 128)).toBe(true);
    expect(map.claim(64, 128)).toBe(true);
    expect(map.claim(2 ** 32 + 184, 8)).toBe(false);
  });
});

describe("Handoff", () => {
  function drain(handoff: Handoff): number[] {
    const seen: number[] = [];
    while (handoff.receive((handle) => seen.push(handle)) > 0);
    return seen;
  }

  it.each([2, 3, 4, 7])("delivers each object once among %i workers", (threads) => {
    const rings = createRings(threads);
    const ends = [...Array(threads).keys()].map((slot) => new Handoff(rings, threads, slot));
    const sent = new Set<number>();
    ends.forEach((end, slot) => {
      for (let i = 0; i < 200; i++) {
        const handle = 2 ** 40 + slot * 1000 + i;
        expect(end.push(handle, 64, slot, i)).toBe(true);
        sent.add(handle);
      }
      end.publish();
    });
    ends.forEach((end, slot) => {
      for (const handle of drain(end)) {
        expect(sent.delete(handle)).toBe(true);
        expect(Math.floor((handle - 2 ** 40) / 1000)).not.toBe(slot);
      }
    });
    expect(sent.size).toBe(0);
  });

  it("publishes batches of 32 by itself and the rest when asked", () => {
    const rings = createRings(2);
    const [from, to] = [new Handoff(rings, 2, 0), new Handoff(rings, 2, 1)];
    for (let i = 0; i < 40; i++) from.push(1, 1, 0, i);
    expect(drain(to)).toHaveLength(32);
    from.publish();
    expect(drain(to)).toHaveLength(8);
  });

  it("refuses when it is full, until something was taken", () => {
    const rings = createRings(2);
    const [from, to] = [new Handoff(rings, 2, 0), new Handoff(rings, 2, 1)];
    let pushed = 0;
    while (from.push(1, 1, 0, pushed)) pushed++;
    expect(pushed).toBe(1024);
    expect(drain(to)).toHaveLength(1024);
    expect(from.push(1, 1, 0, 0)).toBe(true);
  });

  it("a consumer that dies while freeing never frees twice in its replacement", () => {
    const rings = createRings(2);
    const from = new Handoff(rings, 2, 0);
    for (let i = 1; i <= 300; i++) from.push(i, 1, 0, i);
    from.publish();
    const dying = () =>
      new Handoff(rings, 2, 1).receive(() => {
        throw new Error("killed");
      });
    expect(dying).toThrow("killed");
    // What the dead one took is lost; what comes later arrives.
    from.push(301, 1, 0, 301);
    from.publish();
    expect(drain(new Handoff(rings, 2, 1))).toEqual([301]);
  });
});

describe("small parts", () => {
  it("random choices repeat with the seed and differ between workers", () => {
    const draw = (seed: number, worker: number) => {
      const random = new Random(seed, worker);
      return [...Array(5)].map(() => random.between(80, 200)).join();
    };
    expect(draw(1, 0)).toBe(draw(1, 0));
    expect(new Set([draw(1, 0), draw(1, 1), draw(2, 0), draw(0, 0)]).size).toBe(4);
    const random = new Random(0, 0);
    const drawn = [...Array(20_000)].map(() => random.between(0, 3));
    expect(new Set(drawn)).toEqual(new Set([0, 1, 2, 3]));
    expect([...Array(20_000)].filter(() => random.chance(10)).length / 20_000).toBeCloseTo(0.1, 1);
  });

  it("pacing without a rate never waits, with one it hands out what is due", () => {
    expect(new Pacer(0).take(16)).toBe(16);
    const slow = new Pacer(1);
    expect(slow.take(16)).toBe(0);
    expect(slow.msUntilNext()).toBeGreaterThan(900);
  });

  it("leaks of several workers add up by era, the oldest first", () => {
    const epoch = (era: number, live_objects: number) => ({
      epoch_id: era % 16,
      epoch_era: era,
      age_sec: 100 - era,
      label: "x",
      live_objects,
      bytes: live_objects * 10,
    });
    const merged = mergeLeaks([
      { live_objects: 3, bytes: 30, eras: [5, 20], oldest: [epoch(5, 1), epoch(20, 2)] },
      { live_objects: 4, bytes: 40, eras: [5], oldest: [epoch(5, 4)] },
    ]);
    expect(merged).toMatchObject({ live_objects: 7, bytes: 70, epochs: 2 });
    expect(merged.oldest.map((row) => [row.epoch_era, row.live_objects])).toEqual([
      [5, 5],
      [20, 2],
    ]);
  });
});
