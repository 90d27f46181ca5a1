import type { SlabHeap } from "temporal-slab";
import type { Control, Mailbox, Random } from "./shared.mjs";

export declare function isDoomedEra(era: number): boolean;

export interface KeeperOptions {
  readonly control: Control;
  readonly mailbox: Mailbox;
  readonly owner: number;
  readonly seed: number;
  readonly most: number;
  readonly largest: number;
  readonly zeroed: boolean;
}

export declare class Keeper {
  constructor(options: KeeperOptions);
  readonly random: Random;
  readonly kept: readonly object[];
  step(heap: SlabHeap): void;
  checkAll(heap: SlabHeap): void;
  freeAll(heap: SlabHeap): void;
  release(heap: SlabHeap, handle: number): void;
}
