/** What a driver decides, and how it is told. */
import type { Machine } from "./machine.js";

/** The worker whose turn it is goes on. */
export const PICK_GO_ON = 0;
/** + worker: switch to it. */
export const PICK_SWITCH = 1;
/** + how many entries of its store buffer got out: this worker dies. */
export const PICK_KILL = 100;
/** + how many stores stay behind, or how many values back. */
export const PICK_DELAY = 20_000;

export interface Driver {
  /** Index of one of the first `count` options. `key` names the place in the run. */
  pick(count: number, options: Int32Array, key: number): number;
  /** Whether what follows from this state has to be looked at; only asked where the run is new. */
  isNew(machine: Machine): boolean;
  /** Only a replay: whether there is a decision at this place. */
  knows(key: number): boolean;
}

/** How often a schedule may go another way than straight on. */
export interface Limits {
  readonly preemptions: number;
  readonly kills: number;
  /** Stores that stay behind in a buffer and old values that are read. */
  readonly delays: number;
}
