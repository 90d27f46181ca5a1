/** What is explored with a given time: every scenario on every memory, the core races with the most interruptions. */
import type { Limits } from "./explorer/decisions.js";
import type { AnyScenario } from "./explorer/explore.js";
import type { Mode } from "./explorer/memory.js";

export interface Task {
  readonly scenario: string;
  readonly mode: Mode;
  readonly limits: Limits;
  readonly kind: "depth-first" | "random";
  /** Share of the time that is left when its turn comes. */
  readonly weight: number;
}

export const MODES: readonly Mode[] = ["sc", "tso", "weak"];

export interface PlanOptions {
  readonly modes?: readonly Mode[] | undefined;
  /** Instead of what the plan gives each scenario. */
  readonly preemptions?: number | undefined;
}

export function killsOf(scenario: AnyScenario): number {
  return scenario.killable === undefined ? 0 : (scenario.kills ?? 1);
}

/**
 * Core races last and smaller ones first: what a search leaves of its share, because it is through, is left to those that
 * come after it.
 */
export function plan(scenarios: readonly AnyScenario[], options: PlanOptions = {}): Task[] {
  const size = ({ scripts, killable }: AnyScenario): number =>
    scripts.length ** 2 + scripts.flat().length + (killable === undefined ? 0 : 10);
  const rank = (scenario: AnyScenario): number =>
    size(scenario) + (scenario.core === true && !("on" in scenario) ? 1000 : 0);
  const bySize = [...scenarios].sort((a, b) => rank(a) - rank(b));
  return bySize.flatMap((scenario) =>
    (options.modes ?? MODES).flatMap((mode) => tasksFor(scenario, mode, options.preemptions)),
  );
}

function tasksFor(scenario: AnyScenario, mode: Mode, given: number | undefined): Task[] {
  const kills = killsOf(scenario);
  // On the weak memory almost every load has several answers: one interruption less, and as many odd answers.
  const usual = (scenario.core === true ? 3 : 2) - (mode === "weak" ? 1 : 0);
  const preemptions = given ?? usual;
  const depthFirst: Task = {
    scenario: scenario.name,
    mode,
    limits: { preemptions, kills, delays: mode === "sc" ? 0 : 2 },
    kind: "depth-first",
    // Owner words and rings are through in a moment.
    weight: "on" in scenario ? 0.2 : scenario.core === true ? 10 : 2,
  };
  const random: Task = {
    ...depthFirst,
    limits: { preemptions: 12, kills, delays: mode === "sc" ? 0 : 12 },
    kind: "random",
    weight: "on" in scenario ? 0.1 : 0.5,
  };
  // What is through depth first on the stronger memories needs no chance there.
  return "on" in scenario && mode !== "weak" ? [depthFirst] : [depthFirst, random];
}
