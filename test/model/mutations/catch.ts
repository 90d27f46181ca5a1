/** Runs one mutation against the scenarios until one of them shows it. */
import { type AnyScenario, exploreDepthFirst, type Findings } from "../explorer/explore.js";
import type { Mode } from "../explorer/memory.js";
import type { Compiled, Sources } from "../explorer/source.js";

import type { Mutation } from "./mutation.js";

export interface Catch {
  readonly name: string;
  readonly caught: boolean;
  /** What the scenario said, or undefined. */
  readonly violation: string | undefined;
  readonly scenario: string;
  readonly mode: Mode;
  readonly preemptions: number;
  readonly schedules: number;
  /** Repeats it. */
  readonly schedule: string;
  readonly ms: number;
}

const MODES: readonly Mode[] = ["sc", "tso", "weak"];
const BOUNDS: readonly number[] = [1, 2, 3];
/** Delays of stores and loads per run. */
const DELAYS = 2;

interface Attempt {
  readonly scenario: AnyScenario;
  readonly mode: Mode;
  readonly preemptions: number;
  readonly ms: number;
}

/** Applies the mutation and looks for a violation, at most about `budgetMs` long. */
export async function catchMutant(
  sources: Sources,
  mutation: Mutation,
  scenarios: readonly AnyScenario[],
  budgetMs: number,
): Promise<Catch> {
  const start = performance.now();
  const code = await sources.compile(mutation.edits);
  const begun = performance.now();
  let schedules = 0;
  for (const attempt of attempts(mutation, scenarios, budgetMs)) {
    const left = budgetMs - (performance.now() - begun);
    if (left <= 0) break;
    const findings = explore(attempt, mutation, code, Math.min(attempt.ms, left));
    schedules += findings.schedules;
    if (findings.violation === undefined) continue;
    return {
      name: mutation.name,
      caught: true,
      violation: findings.violation,
      scenario: attempt.scenario.name,
      mode: attempt.mode,
      preemptions: attempt.preemptions,
      schedules,
      schedule: findings.schedule ?? "",
      ms: performance.now() - start,
    };
  }
  return {
    name: mutation.name,
    caught: false,
    violation: undefined,
    scenario: "",
    mode: "sc",
    preemptions: 0,
    schedules,
    schedule: "",
    ms: performance.now() - start,
  };
}

function explore(attempt: Attempt, mutation: Mutation, code: Compiled, ms: number): Findings {
  const { scenario, mode, preemptions } = attempt;
  const kills = mutation.kills ?? scenario.kills ?? (scenario.killable === undefined ? 0 : 1);
  return exploreDepthFirst(scenario, code, mode, { preemptions, kills, delays: DELAYS }, { ms });
}

/** The likely ones first, few preemptions before many; then everything else for a moment each. */
function* attempts(
  mutation: Mutation,
  scenarios: readonly AnyScenario[],
  budgetMs: number,
): Generator<Attempt> {
  const modes = mutation.mode === undefined ? MODES : [mutation.mode];
  const bounds = mutation.preemptions === undefined ? BOUNDS : [mutation.preemptions];
  const byName = new Map(scenarios.map((scenario) => [scenario.name, scenario]));
  const preferred = mutation.scenarios.map((name) => {
    const scenario = byName.get(name);
    if (scenario === undefined) throw new Error(`${mutation.name}: there is no scenario ${name}.`);
    return scenario;
  });
  for (const preemptions of bounds) {
    for (const mode of modes) {
      for (const scenario of preferred) yield { scenario, mode, preemptions, ms: budgetMs / 3 };
    }
  }
  const ms = budgetMs / (scenarios.length * modes.length);
  for (const scenario of scenarios) {
    for (const mode of modes) yield { scenario, mode, preemptions: bounds[0] as number, ms };
  }
}
