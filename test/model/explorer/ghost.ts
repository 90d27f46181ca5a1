/** What the oracle knows: from the results of operations alone, never from the allocator's words. */

/** An object somebody holds a handle of. */
export interface Held {
  readonly handle: number;
  readonly slab: number;
  readonly slabs: number;
  readonly era: number;
  /** Frees of it under way or done. */
  frees: number;
  succeeded: number;
  /** Two frees of it were under way at once. */
  raced: boolean;
  /** Its epoch is being discarded: a free may go either way until that is done. */
  doomed: boolean;
}

export interface Ghost {
  readonly held: Map<number, Held>;
  readonly issued: Set<number>;
  /** Which worker's free of a handle returned true. */
  readonly freedBy: Map<number, number>;
  /** Per worker, the handle it is freeing. */
  readonly freeing: (number | undefined)[];
  /** Handles whose free, or whose end, died with a worker: they may be live or not. */
  readonly unknown: Set<number>;
  /** Eras whose discard has begun, and those whose discard has returned. */
  readonly discarding: Set<number>;
  readonly discarded: Set<number>;
  /** Per worker, the lowest era it may still be given; and the same for whoever has seen every call that returned. */
  readonly floor: number[];
  highestFloor: number;
  /** Per worker, eras it is a member of, innermost last. */
  readonly inside: number[][];
  readonly autoClose: Set<number>;
  readonly retains: Map<number, number>;
  /** Allocations and frees that were begun: what no counter exceeds. */
  allocsBegun: number;
  freesBegun: number;
  /** Allocations that returned an object. */
  allocated: number;
  /** And those that may have been made and freed at once inside a call. */
  perhapsAllocated: number;
  /** Objects that may have been lost: one per worker that died in an alloc or a free. */
  lost: number;
  /** Calls that close epochs whoever is inside, and have not returned; those that somebody died in never do. */
  closings: number;
  /** Eras below this one were closed so. */
  closedBelow: number;
  /** Seats and who sits there. */
  readonly sitters: Map<number, number>;
}

/** Nothing has happened yet. */
export function newGhost(workers: number): Ghost {
  return {
    held: new Map(),
    issued: new Set(),
    freedBy: new Map(),
    freeing: new Array(workers).fill(undefined),
    unknown: new Set(),
    discarding: new Set(),
    discarded: new Set(),
    floor: new Array(workers).fill(0),
    highestFloor: 0,
    inside: Array.from({ length: workers }, () => []),
    autoClose: new Set(),
    retains: new Map(),
    allocsBegun: 0,
    freesBegun: 0,
    allocated: 0,
    perhapsAllocated: 0,
    lost: 0,
    closings: 0,
    closedBelow: 0,
    sitters: new Map(),
  };
}

/** A copy to go back to. */
export function copyGhost(ghost: Ghost): Ghost {
  return {
    held: new Map([...ghost.held].map(([handle, held]) => [handle, { ...held }])),
    issued: new Set(ghost.issued),
    freedBy: new Map(ghost.freedBy),
    freeing: [...ghost.freeing],
    unknown: new Set(ghost.unknown),
    discarding: new Set(ghost.discarding),
    discarded: new Set(ghost.discarded),
    floor: [...ghost.floor],
    highestFloor: ghost.highestFloor,
    inside: ghost.inside.map((eras) => [...eras]),
    autoClose: new Set(ghost.autoClose),
    retains: new Map(ghost.retains),
    allocsBegun: ghost.allocsBegun,
    freesBegun: ghost.freesBegun,
    allocated: ghost.allocated,
    perhapsAllocated: ghost.perhapsAllocated,
    lost: ghost.lost,
    closings: ghost.closings,
    closedBelow: ghost.closedBelow,
    sitters: new Map(ghost.sitters),
  };
}
