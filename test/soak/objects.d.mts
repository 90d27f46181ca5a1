import type { SlabHeap } from "temporal-slab";
import type { Control, Random, Row } from "./board.mjs";

export interface KeptObject {
  readonly handle: number;
  readonly era: number;
  readonly offset: number;
  readonly bytes: number;
  readonly owner: number;
  readonly serial: number;
}

export declare class Objects {
  constructor(options: {
    readonly control: Control;
    readonly row: Row;
    readonly random: Random;
    readonly owner: number;
    readonly most: number;
    readonly zeroed: boolean;
  });
  alloc(heap: SlabHeap, size: number, epoch?: number): KeptObject | undefined;
  check(heap: SlabHeap, object: KeptObject): boolean;
  free(heap: SlabHeap, object: KeptObject): void;
  receive(heap: SlabHeap, handle: number, era?: number): KeptObject | undefined;
}
