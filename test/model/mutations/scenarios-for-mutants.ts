/** Scenarios made for single mutations: small, and with an order of events that the general ones leave to chance. */
import type { Scenario } from "../explorer/world.js";
import { MUTANT_EPOCH_SCENARIOS } from "./scenarios-epochs.js";
import { MUTANT_SLAB_SCENARIOS } from "./scenarios-slabs.js";

export const MUTANT_SCENARIOS: readonly Scenario[] = [...MUTANT_EPOCH_SCENARIOS, ...MUTANT_SLAB_SCENARIOS];
