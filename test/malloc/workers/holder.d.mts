import type { MemPool } from "temporal-slab/malloc";
import type { Control, Mailbox } from "../../threads/workers/shared.mjs";

export declare class Holder {
  constructor(options: {
    control: Control;
    mailbox: Mailbox;
    owner: number;
    seed: number;
    most: number;
    largest: number;
  });
  readonly blocks: readonly object[];
  step(pool: MemPool): void;
  checkAll(pool: MemPool): void;
  dropAll(pool: MemPool, cells?: number): void;
}
