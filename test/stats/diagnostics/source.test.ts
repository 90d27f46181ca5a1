/**
 * Defends: every diagnostic takes a document or whatever makes one, and refuses everything else with a typed error that
 * names the argument; none of them throws for a document, whatever values it holds.
 * Method: each function with each kind of source; random documents of every field.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidTypeError } from "../../../src/allocator/errors.js";
import { doctor } from "../../../src/stats/diagnostics/doctor.js";
import { health } from "../../../src/stats/diagnostics/health.js";
import { detectEpochLeaks } from "../../../src/stats/diagnostics/leaks.js";
import { analyzeReclamation } from "../../../src/stats/diagnostics/reclamation.js";
import { analyzeSlowPath } from "../../../src/stats/diagnostics/slow-path.js";
import type { StatsSource } from "../../../src/stats/diagnostics/source.js";
import { anyDocument, documentWith } from "./builder.js";

const DIAGNOSTICS = { detectEpochLeaks, analyzeSlowPath, analyzeReclamation, doctor, health };

describe.each(Object.entries(DIAGNOSTICS))("%s", (_, diagnose: (source: StatsSource) => object) => {
  test("says the same of a document and of what makes it", () => {
    const document = documentWith();
    expect(diagnose({ snapshot: () => document })).toEqual(diagnose(document));
  });

  test.each([
    undefined,
    null,
    5,
    "{}",
    {},
    [],
    { snapshot: 5 },
    { timestamp_ns: 5, classes: [], epochs: [] },
  ])("refuses %j", (source) => {
    expect(() => diagnose(source as never)).toThrow(InvalidTypeError);
    expect(() => diagnose(source as never)).toThrow(/^source must be a stats document .*readStats/);
  });

  test("random documents: always an answer, always JSON", () => {
    fc.assert(
      fc.property(anyDocument, (document) => {
        expect(JSON.parse(JSON.stringify(diagnose(document)))).toHaveProperty("version", 1);
      }),
    );
  });
});

test("what snapshot() throws passes through, except where liveness is asked for", () => {
  const broken: StatsSource = {
    snapshot() {
      throw new RangeError("buffer gone");
    },
  };
  expect(() => detectEpochLeaks(broken)).toThrow("buffer gone");
  expect(health(broken)).toMatchObject({ live: false, ready: false, status: "unhealthy" });
});
