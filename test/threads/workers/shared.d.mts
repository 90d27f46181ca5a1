export declare const STOP: number;
export declare const PAUSE: number;
export declare const RESTING: number;
export declare const READY: number;
export declare const FAILURES: number;
export declare const DROP: number;
export declare const CUSTOM: number;
export declare function newControl(): SharedArrayBuffer;
export declare class Control {
  constructor(buffer: SharedArrayBuffer);
  readonly words: Int32Array;
  get(word: number): number;
  set(word: number, value: number): void;
  add(word: number, by?: number): number;
  get stopped(): boolean;
  fail(what: string): void;
  failure(): string;
  pause(ms: number): void;
  restIfAsked(before?: () => void): void;
}
export declare class Random {
  constructor(seed: number);
  next(): number;
  below(n: number): number;
}
export declare function stamp(
  i32: Int32Array,
  offset: number,
  bytes: number,
  owner: number,
  serial: number,
): void;
export declare function stampEnds(
  i32: Int32Array,
  offset: number,
  bytes: number,
  owner: number,
  serial: number,
): void;
export declare function endsMatch(i32: Int32Array, offset: number, bytes: number): boolean;
export declare function stampProblem(
  i32: Int32Array,
  offset: number,
  bytes: number,
  owner?: number,
  serial?: number,
): string;
export declare class Mailbox {
  constructor(buffer: SharedArrayBuffer);
  swap(cell: number, handle: number): number;
}
export declare function newMailbox(cells: number): SharedArrayBuffer;
