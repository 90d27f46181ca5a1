/** Every mutation, by subject. */
import { change, type Mutation } from "./mutation.js";
import { OBJECT_MUTATIONS } from "./objects.js";

/** Nothing is changed: a runner that calls this one caught would call anything caught. */
const IDENTITY: Mutation = {
  name: "nothing",
  breaks: "Nothing: the shipped source.",
  edits: [change("slabs/slab.ts", "export const CLAIM_LOST = 0;", "export const CLAIM_LOST = 0; ")],
  scenarios: ["free-race", "alloc-close"],
  equivalent: "it is the shipped source",
};

export const MUTATIONS: readonly Mutation[] = [IDENTITY, ...OBJECT_MUTATIONS];
