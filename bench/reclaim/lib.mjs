/** The built package; TSLAB_LIB names the index.js of another build to measure. */
const folder = new URL(".", process.env.TSLAB_LIB ?? new URL("../../dist/index.js", import.meta.url).href);

const { SlabHeap } = await import(new URL("index.js", folder).href);
const { autoPageReleaser } = await import(new URL("reclaim.js", folder).href);

export { autoPageReleaser, SlabHeap };

/** What runs this: "Node 20.19.0". */
export function runtimeName() {
  if (globalThis.Deno !== undefined) return `Deno ${Deno.version.deno}`;
  if (globalThis.Bun !== undefined) return `Bun ${Bun.version}`;
  return `Node ${process.versions.node}`;
}
