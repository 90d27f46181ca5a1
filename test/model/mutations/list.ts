/** Every mutation, by subject. */
import { COUNT_MUTATIONS } from "./counts.js";
import { EPOCH_MUTATIONS } from "./epochs.js";
import { KEEPER_MUTATIONS } from "./keepers.js";
import { change, type Mutation } from "./mutation.js";
import { OBJECT_MUTATIONS } from "./objects.js";
import { PERMIT_MUTATIONS } from "./permits.js";
import { REGRESSIONS } from "./regressions.js";
import { RELEASE_MUTATIONS } from "./releases.js";
import { RING_MUTATIONS } from "./rings.js";
import { SEAT_MUTATIONS } from "./seats.js";
import { SLAB_MUTATIONS } from "./slabs.js";
import { UNORDERED_MUTATIONS } from "./unordered.js";

/** Nothing is changed: a runner that calls this one caught would call anything caught. */
const IDENTITY: Mutation = {
  name: "nothing",
  breaks: "Nothing: the shipped source.",
  edits: [change("slabs/slab.ts", "export const CLAIM_LOST = 0;", "export const CLAIM_LOST = 0; ")],
  scenarios: ["free-race", "alloc-close"],
  equivalent: "it is the shipped source",
};

export const MUTATIONS: readonly Mutation[] = [
  IDENTITY,
  ...OBJECT_MUTATIONS,
  ...SLAB_MUTATIONS,
  ...EPOCH_MUTATIONS,
  ...SEAT_MUTATIONS,
  ...COUNT_MUTATIONS,
  ...REGRESSIONS,
  ...RING_MUTATIONS,
  ...PERMIT_MUTATIONS,
  ...RELEASE_MUTATIONS,
  ...UNORDERED_MUTATIONS,
  ...KEEPER_MUTATIONS,
];
