/** A small fault put into the sources themselves, and the short ways to write one. */
import type { Mode } from "../explorer/memory.js";
import type { Edit } from "../explorer/source.js";

export interface Mutation {
  readonly name: string;
  /** What goes wrong and why. */
  readonly breaks: string;
  readonly edits: readonly Edit[];
  /** Scenarios that show it, the quickest first. */
  readonly scenarios: readonly string[];
  /** The weakest memory that shows it; without it all are tried. */
  readonly mode?: Mode;
  /** Preemptions it takes; without it 1, 2 and 3 are tried. */
  readonly preemptions?: number;
  /** Deaths per run, where the scenario's own number is not the one. */
  readonly kills?: number;
  /** Nothing can show it: which other step covers for it. It is run all the same and expected to survive. */
  readonly equivalent?: string;
}

/** Where `find` stands in `file` (a path from src/allocator), `replacement` stands instead. */
export function change(file: string, find: string, replacement: string): Edit {
  return { file, find, replace: replacement };
}

/** Leaves `find` out. */
export function drop(file: string, find: string): Edit {
  return { file, find, replace: "" };
}

/** Two neighbours the other way round. */
export function swap(file: string, first: string, second: string, between = "\n"): Edit {
  return { file, find: first + between + second, replace: second + between + first };
}
