// Which patterns a thread runs, and how often each: all of them at any time, in any order.
import { patternNumber } from "./board.mjs";
import * as epochs from "./patterns/epochs.mjs";
import { throughMessages, throughRing } from "./patterns/handover.mjs";
import * as objects from "./patterns/objects.mjs";
import * as seats from "./patterns/seats.mjs";

const WEIGHTS = [
  ["pairs", objects.pairs, 8],
  ["LIFO", objects.lifo, 8],
  ["FIFO", objects.fifo, 8],
  ["mixed sizes", objects.mixed, 14],
  ["check kept objects", objects.look, 4],
  ["large runs", objects.large, 3],
  ["fill up", objects.fill, 1],
  ["stale and double frees", objects.staleFrees, 3],
  ["hand over by ring", throughRing, 12],
  ["hand over by message", throughMessages, 6],
  ["request", epochs.request, 10],
  ["nested domains", epochs.nested, 6],
  ["frame", epochs.frame, 5],
  ["batch", epochs.batch, 5],
  ["drop old epochs", epochs.dropOld, 8],
  ["references", epochs.references, 3],
  ["labels and figures", epochs.lookAround, 3],
  ["leave and come back", seats.leave, 3],
  ["second seat", seats.secondSeat, 3],
  ["sampling", seats.sampling, 2],
  ["refused reaping", seats.refusedReap, 1],
];

/** One entry per unit of weight. */
export const MIXTURE = WEIGHTS.flatMap(([name, pattern, weight]) =>
  Array(weight).fill([patternNumber(name), pattern]),
);
