/** Front door of the reclaim layer. */
export { autoPageReleaser, createPageReleaser } from "./auto.js";
export type { PageReleaseBackend, SystemPageReleaser } from "./types.js";
