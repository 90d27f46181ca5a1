/**
 * Defends: whatever sequence of operations one to three seats perform, the heap behaves like a map from
 * handles to objects: contents stay, live objects never overlap, stale and forged handles are refused, eras
 * keep their objects apart, *out of memory* is only said when it is true, verify() agrees, and when everything
 * was discarded the whole capacity can be allocated again.
 * Method: random scripts of commands (fast-check, so that failures shrink) run on a real heap and on an oracle of
 * plain collections; every object is filled from its serial and checked in full.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isSpecialised } from "../../src/allocator/heap/shape.js";
import { script, soloCommands } from "./commands.js";
import { Driver, type Effort } from "./driver.js";
import { testSeed } from "./seed.js";

const SCRIPTS = 4000;

describe("the heap against an oracle", () => {
  // First in this file: only the first heap of a thread runs the specialised fast path.
  test("one long script on the specialised fast path", { timeout: 240_000 }, () => {
    const seed = testSeed("specialised");
    const [parts] = fc.sample(fc.array(soloCommands, { minLength: 20, maxLength: 20 }), { seed, numRuns: 1 });
    const driver = new Driver({ capacity: 1024 * 1024, slabSize: 4096, sizeClasses: [16, 64, 256, 1024] });
    expect(isSpecialised(driver.first)).toBe(true);
    for (const command of parts.flat()) driver.run(command);
    driver.finish();
    expect(isSpecialised(driver.first)).toBe(true);
    driver.dispose();
    console.log(`specialised: ${describeEffort(driver.effort)}`);
  });

  test(`${SCRIPTS} random scripts`, { timeout: 600_000 }, () => {
    const seed = testSeed("scripts");
    const total: Effort = { steps: 0, allocs: 0, frees: 0, outOfMemory: 0, wraps: 0 };
    let scripts = 0;
    fc.assert(
      fc.property(script, ({ options, seats, commands }) => {
        const driver = new Driver(options);
        try {
          for (let i = 1; i < seats; i++) driver.attach();
          for (const command of commands) driver.run(command);
          driver.finish();
        } finally {
          driver.dispose();
        }
        scripts++;
        for (const key of Object.keys(total) as (keyof Effort)[]) total[key] += driver.effort[key];
      }),
      { seed, numRuns: SCRIPTS, endOnFailure: false },
    );
    console.log(`scripts: ${scripts}, ${describeEffort(total)}`);
    // The scripts must reach what they are meant to reach.
    expect(total.outOfMemory).toBeGreaterThan(SCRIPTS / 10);
    expect(total.wraps).toBeGreaterThan(SCRIPTS / 10);
    expect(total.frees).toBeGreaterThan(SCRIPTS);
  });
});

function describeEffort(effort: Effort): string {
  return Object.entries(effort)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
}
