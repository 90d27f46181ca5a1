/** `temporal-slab/stats`: statistics of a heap, read while its threads work; diagnostics, health and sampling. */
export { type Sampling, type SamplingOptions, startSampling } from "./allocator/index.js";
// biome-ignore lint/performance/noReExportAll: the entry point is the layer's front door and one thing more
export * from "./stats/index.js";
