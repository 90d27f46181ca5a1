/** Front door of the async layer. */
export { AsyncDomain } from "./domain.js";
export type { AsyncDomainOptions, OnRotate, RotatorOptions } from "./options.js";
export { EpochRotator, type RotatorStats } from "./rotator.js";
export { currentDomain, type RunInDomainOptions, runInDomain } from "./run.js";
