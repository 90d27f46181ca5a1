/**
 * The figures the project set itself, as data.
 *
 * With `against`: ours divided by that contender, in the same run. Without: our own figure.
 * `metric` picks one of the extra figures of a row instead of its main value.
 * The goals are for Node on x86-64; missing one is printed, it does not fail the run.
 */
const HUNDREDTH = 1 / 100;
export const goals = [
  { row: "pair", against: "malloc", atMost: 0.9 },
  { row: "pair", against: "unsafe", atMost: 1 / 3 },
  { row: "pair-int", against: "malloc", atMost: 0.6 },
  { row: "lifo", against: "malloc", atMost: 0.4 },
  { row: "lifo", against: "unsafe", atMost: 1 / 3 },
  { row: "fifo", against: "malloc", atMost: 0.4 },
  { row: "fifo", against: "thing", atMost: HUNDREDTH },
  { row: "random1k", against: "thing", atMost: HUNDREDTH },
  { row: "mixed", against: "malloc", atMost: 0.6 },
  { row: "random100k", against: "malloc", atMost: 0.25 },
  { row: "churn", against: "malloc", atMost: 0.6 },
  { row: "trace", against: "malloc", atMost: 1.2 },
  { row: "two-heaps-pair", against: "oneheap", atMost: 1.5 },
  { row: "two-heaps-lifo", against: "oneheap", atMost: 1.5 },
  { row: "malloc-pair", against: "malloc", atMost: 0.6 },
  { row: "malloc-1k", against: "thing", atMost: HUNDREDTH },
  { row: "pool-128", against: "unsafe", atMost: 1 },
  { row: "pool-4k", against: "unsafe", atMost: 0.2 },
  { row: "pool-64k", against: "unsafe", atMost: 1 },
  { row: "pool-service", against: "unsafe", atMost: 0.7 },
  { row: "workers", atLeast: 1.9 },
  { row: "cross32", against: "malloc", atMost: 1 },
  { row: "cross32", against: "postCopy", atMost: 1 / 30 },
  { row: "cross32", against: "postTransfer", atMost: 1 / 30 },
  { row: "discard", atMost: 2 },
  { row: "tail-warm", atMost: 200 },
  { row: "tail-burst", atMost: 200 },
  { row: "start", atMost: 50 },
  { row: "start", metric: "rssMiB", unit: "MiB", atMost: 16 },
  { row: "start", metric: "capacityGiB", unit: "GiB", atLeast: 3.99 },
  { row: "garbage", atMost: 0.01 }, // the two reads of the heap's size cost a few bytes themselves
];
