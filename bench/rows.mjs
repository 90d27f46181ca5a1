/**
 * The rows of the table, in table order.
 *
 * `against`: who runs beside us. `mode`: the pattern of yardstick.c that malloc runs.
 * A row with `loop` is driven by tinybench through patterns.mjs; a row with `script` brings its own
 * clock, because it needs threads, a fresh process or one measurement per operation.
 * `flags(contender)`: for the child's node. `noRatio`: contenders stand beside us undivided. `needs: "trace"`: skipped when the trace is not there.
 */
const POOLS = ["malloc", "naive", "unsafe", "u8", "thing"];
const MANY_LIVE = ["malloc", "naive", "unsafe", "u8"]; // @thi.ng/malloc walks a list per free: hours at 100k live

/**
 * New space for the garbage row: large for contenders that make garbage, so that no collection hides
 * what they made; one MiB for the others, so that any garbage at all would force a collection.
 */
const garbageFlags = (contender) => {
  const size = contender === "unsafe" || contender === "u8" ? 256 : 1;
  return ["--expose-gc", `--min-semi-space-size=${size}`, `--max-semi-space-size=${size}`];
};

export const rows = [
  // One thread, one heap, calls inlined.
  { id: "pair", title: "pair, 128 B, inlined", unit: "ns/pair", loop: true, against: POOLS, mode: "pair" },
  {
    id: "pair-int",
    title: "pair, int pointers",
    unit: "ns/pair",
    loop: true,
    against: ["malloc", "thing"],
    mode: "pair",
  },
  { id: "lifo", title: "LIFO 1k", unit: "ns/pair", loop: true, against: POOLS, mode: "lifo" },
  {
    id: "lifo-int",
    title: "LIFO 1k, int pointers",
    unit: "ns/pair",
    loop: true,
    against: ["malloc"],
    mode: "lifo",
  },
  { id: "fifo", title: "FIFO 1k", unit: "ns/pair", loop: true, against: POOLS, mode: "fifo" },
  {
    id: "random1k",
    title: "1k live, random free",
    unit: "ns/pair",
    loop: true,
    against: POOLS,
    mode: "random1k",
  },
  {
    id: "mixed",
    title: "mixed 1..768 B, 1k live",
    unit: "ns/pair",
    loop: true,
    against: POOLS,
    mode: "mixed",
  },
  {
    id: "random100k",
    title: "100k live, random free",
    unit: "ns/pair",
    loop: true,
    against: MANY_LIVE,
    mode: "random100k",
  },
  { id: "churn", title: "churn, 100k live", unit: "ns/pair", loop: true, against: MANY_LIVE, mode: "churn" },
  {
    id: "trace",
    title: "trace replay, gcc",
    unit: "ns/event",
    loop: true,
    against: MANY_LIVE,
    mode: "trace",
    needs: "trace",
  },

  // The shapes services have.
  {
    id: "field",
    title: "pair, heap in a field",
    unit: "ns/pair",
    loop: true,
    against: ["malloc", "naive", "unsafe"],
    mode: "pair",
  },
  {
    id: "sites",
    title: "pair, 8 call sites",
    unit: "ns/pair",
    loop: true,
    against: ["malloc", "naive", "unsafe"],
    mode: "sites",
  },
  {
    id: "service",
    title: "pair, service, 8 sites",
    unit: "ns/pair",
    loop: true,
    against: ["malloc", "naive", "unsafe"],
    mode: "sites",
  },
  { id: "two-heaps-pair", title: "two heaps, pair", unit: "ns/pair", loop: true, against: ["oneheap"] },
  { id: "two-heaps-lifo", title: "two heaps, LIFO 1k", unit: "ns/pair", loop: true, against: ["oneheap"] },

  // temporal-slab/malloc: the pool's own methods.
  {
    id: "malloc-pair",
    title: "MemPool, pair",
    unit: "ns/pair",
    script: "malloc",
    against: ["malloc", "thing"],
    mode: "pair",
  },
  { id: "malloc-10", title: "MemPool, 10 live", unit: "ns/pair", script: "malloc", against: ["thing"] },
  { id: "malloc-1k", title: "MemPool, 1k live", unit: "ns/pair", script: "malloc", against: ["thing"] },
  { id: "malloc-100k", title: "MemPool, 100k live", unit: "ns/pair", script: "malloc", against: ["thing"] },

  // temporal-slab/pool: a buffer, its first and last byte, and back.
  ...["128", "1k", "4k", "16k", "64k"].map((size) => ({
    id: `pool-${size}`,
    title: `pooled buffer, ${size.endsWith("k") ? size.replace("k", " KiB") : `${size} B`}`,
    unit: "ns/buffer",
    script: "pool",
    against: ["unsafe", "naiveBuffers", "u8", ...(size === "64k" ? ["largeSlabs"] : [])],
  })),
  {
    id: "pool-service",
    title: "buffers of a service",
    unit: "ns/request",
    script: "pool",
    against: ["unsafe", "naiveBuffers", "u8", "largeSlabs"],
  },

  // Threads.
  { id: "roundtrip", title: "core-to-core round trip", unit: "ns", script: "threads", against: [] },
  {
    id: "workers",
    title: "2 workers / 1 worker",
    unit: "x",
    script: "threads",
    against: ["malloc"],
    mode: "threads",
    higherIsBetter: true,
  },
  {
    id: "cross32",
    title: "cross-thread, batches of 32",
    unit: "ns/object",
    script: "threads",
    mode: "ring32",
    against: ["malloc", "postCopy", "postTransfer", "postCopy32", "postTransfer32"],
  },
  {
    id: "cross1",
    title: "cross-thread, one by one",
    unit: "ns/object",
    script: "threads",
    mode: "ring1",
    against: ["malloc", "postCopy", "postTransfer"],
  },

  // temporal-slab/ring: passing handles, nothing allocated.
  {
    id: "ring-same",
    title: "ring, one thread, by 32",
    unit: "ns/handle",
    script: "handle-ring",
    against: [],
  },
  {
    id: "ring-32",
    title: "ring, two threads, by 32",
    unit: "ns/handle",
    script: "handle-ring",
    against: ["hand", "postMessage"],
  },
  {
    id: "ring-1",
    title: "ring, two threads, singly",
    unit: "ns/handle",
    script: "handle-ring",
    against: ["hand", "postMessage"],
  },

  // Epochs.
  { id: "close", title: "closeEpoch, 100k freed", unit: "ns/object", script: "epochs", against: [] },
  {
    id: "discard",
    title: "discardEpoch, 100k live",
    unit: "ns/slot",
    script: "epochs",
    against: ["freeEach"],
  },

  // Tails: the value in the table is p99.9; the whole line is printed below it.
  {
    id: "tail-warm",
    title: "alloc p99.9, warm, churn",
    unit: "ns",
    script: "tail",
    against: ["malloc"],
    mode: "tail-warm",
  },
  {
    id: "tail-burst",
    title: "alloc p99.9, warm, bursts",
    unit: "ns",
    script: "tail",
    against: ["malloc"],
    mode: "tail-burst",
  },
  {
    id: "tail-grow",
    title: "alloc p99.9, growing heap",
    unit: "ns",
    script: "tail",
    against: ["malloc", "prefault"],
    mode: "tail-grow",
  },
  {
    id: "tail-touch",
    title: "alloc+touch p99.9, growing",
    unit: "ns",
    script: "tail",
    against: ["malloc", "prefault"],
    mode: "tail-touch",
  },

  // The process.
  { id: "start", title: "create a 4 GiB heap", unit: "ms", script: "process", against: [] },
  {
    id: "garbage",
    noRatio: true, // zero by zero says nothing
    title: "JS heap per pair",
    unit: "B/pair",
    script: "process",
    against: ["oursInt", "naive", "unsafe", "u8", "thing"],
    flags: garbageFlags,
  },
];

/** What the contenders are called in the table. */
export const titles = {
  ours: "temporal-slab",
  malloc: "malloc (C)",
  naive: "naive pool",
  u8: "new Uint8Array",
  unsafe: "Buffer.allocUnsafe",
  naiveBuffers: "naive pool of Buffers",
  largeSlabs: "temporal-slab, 1 MiB slabs",
  thing: "@thi.ng/malloc",
  oneheap: "temporal-slab, one heap",
  oursInt: "temporal-slab, int pointers",
  freeEach: "free() one by one",
  prefault: "temporal-slab, prefault",
  hand: "ring written by hand",
  postMessage: "postMessage of the number",
  postCopy: "postMessage copy",
  postTransfer: "postMessage transfer",
  postCopy32: "postMessage copy, 32 in one",
  postTransfer32: "postMessage transfer, 32 in one",
};
