import type { Scenario } from "../explorer/world.js";
export const MUTANT_SCENARIOS: readonly Scenario[] = [];
