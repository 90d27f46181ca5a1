/** The built package. TSLAB_LIB names another build to compare with. */
const { SlabHeap } = await import(process.env.TSLAB_LIB ?? new URL("../dist/index.js", import.meta.url).href);

export { SlabHeap };
