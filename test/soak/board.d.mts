import type { Control } from "../threads/workers/shared.mjs";

export { Control, newControl, Random, stamp, stampProblem } from "../threads/workers/shared.mjs";
export declare const FLOOR: number;
export declare const FLOOR_AT: number;
export declare const ROW_COUNT: number;
export type Tally =
  | "operations"
  | "allocs"
  | "frees"
  | "refusals"
  | "outOfMemory"
  | "opened"
  | "closed"
  | "discarded"
  | "domains"
  | "reaps"
  | "attaches"
  | "handed"
  | "received"
  | "checked"
  | "snapshots"
  | "reports"
  | "fills"
  | "samplings";
export declare const TALLIES: readonly Tally[];
export declare const LABELS: readonly string[];
export declare const LABEL: RegExp;
export declare class Row {
  constructor(control: Control, row: number);
  add(tally: Tally, by?: number): void;
  beat(pattern?: number): void;
  get beats(): number;
  get pattern(): string;
  tally(name: Tally): number;
}
export declare function patternNumber(name: string): number;
export declare function isDoomed(control: Control, era: number): boolean;
export declare function raiseFloor(control: Control, era: number, everyMs: number): boolean;
export declare class HandleRing {
  constructor(buffer: SharedArrayBuffer);
  put(handle: number): number;
  take(): number;
  drain(): number[];
}
export declare function newRing(cells: number): SharedArrayBuffer;
