/**
 * Defends: counters are exact after any death. Whatever a thread was doing when it vanished, once it has been reaped and
 * its slabs adopted, allocations minus frees and discards is the number of objects there are, and no counter is
 * lower than it was; also when others freed or discarded the dead thread's objects before anybody noticed.
 * Method: every operation is killed at every access it makes to the shared words, in worlds of their own, each three times
 * over: with nothing, with frees of every object and with a discard between the death and the reaping. The objects are
 * counted in the slot words, which know nothing of counters.
 */
import { describe, expect, test } from "vitest";
import { allCounters } from "../allocator/support.js";
import { SCENARIOS } from "./counted-scenarios.js";
import { build, expectExact, highest, type Scenario, type World } from "./counted-world.js";
import { killAtEveryAccess } from "./interleave.js";

/** What others do while nobody has noticed the death. */
const MEANWHILE: Readonly<Record<string, (world: World) => void>> = {
  nothing: () => {},
  frees: ({ b, all }) => {
    for (const handle of all) b.free(handle);
  },
  discard: ({ b }) => {
    b.discardEpoch(b.currentEpoch);
  },
};

describe.each(Object.keys(MEANWHILE))("killed at every access, before the reaping: %s", (between) => {
  for (const scenario of SCENARIOS) {
    test(scenario.name, () => expectExactWhereverKilled(scenario, between));
  }
});

function expectExactWhereverKilled(scenario: Scenario, between: string): void {
  const accesses = killAtEveryAccess<World>({
    build: () => build(scenario),
    act: scenario.act,
    unnoticed(world) {
      const atDeath = allCounters(world.b);
      MEANWHILE[between](world);
      world.before = highest(world.before, atDeath);
    },
    check: expectExact,
  });
  expect(accesses).toBeGreaterThanOrEqual(scenario.least);
}
