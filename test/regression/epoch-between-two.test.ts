/**
 * Defends: at every moment some epoch is open for everybody: opening a domain without naming an epoch, and allocating in
 * the current one by its id, succeed while another thread is anywhere inside closing, discarding or advancing, even if
 * that thread stays there for good. They said "closed" of an epoch that nobody had closed yet.
 * Method: each of these operations is stopped before each of its accesses; there another seat opens a domain and allocates.
 * Then the operation is killed at each of them, and the other seat does so before anybody has noticed.
 */
import { describe, expect, test } from "vitest";
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import { another, expectHealthy, smallHeap } from "../allocator/support.js";
import { atEveryAccess, killAtEveryAccess, type Seats } from "./interleave.js";

/** Prepares the seat that moves the ring on; returns what does. */
const MOVES: Record<string, (a: SlabHeap) => () => unknown> = {
  "advancing to the next epoch": (a) => () => a.advanceEpoch(),
  "closing the current epoch": (a) => () => a.closeEpoch(a.currentEpoch),
  "discarding the current epoch": (a) => () => a.discardEpoch(a.currentEpoch),
  "the last exit of a domain that closes": (a) => {
    const domain = a.openDomain({ autoClose: true });
    return () => domain.exit();
  },
  "releasing the last reference": (a) => {
    const domain = a.openDomain({ autoClose: true });
    a.retainEpoch(domain.epoch.id);
    domain.exit();
    return () => a.releaseEpoch(domain.epoch.id);
  },
  "giving the seat back": (a) => {
    a.openDomain({ autoClose: true });
    return () => a.detach();
  },
};

describe.each(Object.keys(MOVES))("while another thread is in the middle of %s", (name) => {
  interface World extends Seats {
    readonly move: () => unknown;
  }
  function build(): World {
    const b = smallHeap();
    const a = another(b);
    const move = MOVES[name](a);
    b.poll();
    return { a, b, move };
  }

  function use(b: SlabHeap, autoClose: boolean): void {
    const domain = b.openDomain({ autoClose });
    expect(domain.alloc(64)).not.toBe(0);
    domain.exit();
  }

  function allocate(b: SlabHeap): void {
    const handle = b.alloc(64, b.currentEpoch.id);
    expect([handle !== 0, b.lastFailure]).toEqual([true, "none"]);
    expect(b.alloc(64)).not.toBe(0);
  }

  const USES: Record<string, (b: SlabHeap) => void> = {
    "a domain can be opened": (b) => use(b, false),
    "a domain that closes its epoch can be opened": (b) => use(b, true),
    "the current epoch can be allocated in": allocate,
  };

  test.each(Object.keys(USES))("%s", (what) => {
    const accesses = atEveryAccess<World, unknown>({
      build,
      act: ({ move }) => move(),
      meanwhile: ({ b }) => USES[what](b),
      check({ a, b }, { error }) {
        expect(error).toBeUndefined();
        if (!a._a.detached) a.poll();
        expectHealthy(b);
      },
    });
    expect(accesses).toBeGreaterThan(20);
  });

  test.each(Object.keys(USES))("%s although that thread has died there", (what) => {
    const accesses = killAtEveryAccess<World>({
      build,
      act: ({ move }) => move(),
      unnoticed: ({ b }) => USES[what](b),
      check({ b }) {
        USES[what](b);
        expectHealthy(b);
      },
    });
    expect(accesses).toBeGreaterThan(20);
  });
});
