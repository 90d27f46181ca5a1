/** `temporal-slab/reclaim`: pages of memory that is free go back to the operating system. */
export {
  InvalidTypeError,
  InvalidValueError,
  type PageReleaser,
  PageReleaserUnavailableError,
  type ReleasePolicy,
  TemporalSlabError,
} from "./allocator/index.js";
export {
  autoPageReleaser,
  createPageReleaser,
  type PageReleaseBackend,
  type SystemPageReleaser,
} from "./reclaim/index.js";
