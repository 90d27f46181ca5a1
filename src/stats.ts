/** `temporal-slab/stats`: statistics of a heap, read while its threads work; diagnostics, health and sampling. */
export {
  AlreadySampledError,
  HeapDetachedError,
  HeapFormatError,
  InvalidTypeError,
  InvalidValueError,
  type Sampling,
  type SamplingOptions,
  startSampling,
  TemporalSlabError,
} from "./allocator/index.js";
// biome-ignore lint/performance/noReExportAll: the entry point is the layer's front door and a little more
export * from "./stats/index.js";
