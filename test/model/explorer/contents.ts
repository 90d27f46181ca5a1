/**
 * What workers write into their objects: in heaps that zero, and in scenarios where pages are given back.
 *
 * In a heap that zeroes a new object must be empty. Where pages are given back each object has a byte of its own all
 * over, which must be there until it is freed: a release that comes too late, or of others' pages, takes it away.
 */
import type { Attachment } from "../../../src/allocator/memory/attachment.js";
import { handleSlot } from "../../../src/allocator/words/handle.js";
import { SLOT_ALLOC, slotState } from "../../../src/allocator/words/slot-word.js";
import type { Oracle } from "./oracle.js";

export class Contents {
  private readonly oracle: Oracle;
  private readonly a: Attachment;
  private readonly kept: boolean;
  private atStart = new Uint8Array(0);

  /** `kept`: whether what is written must stay, and not only be gone in the end. */
  constructor(oracle: Oracle, a: Attachment, kept: boolean) {
    this.oracle = oracle;
    this.a = a;
    this.kept = kept;
  }

  save(): void {
    this.atStart = this.a.u8.slice(this.a.layout.payloadOffset);
  }

  restore(): void {
    const { layout, u8 } = this.a;
    if (layout.zeroOnFree || this.kept) u8.set(this.atStart, layout.payloadOffset);
  }

  /** A new object is looked at, and then written to. */
  use(handle: number, size: number): void {
    const { zeroOnFree } = this.a.layout;
    if (!zeroOnFree && !this.kept) return;
    const contents = this.of(handle, size);
    if (zeroOnFree && contents.some((byte) => byte !== 0))
      this.oracle.fail(`${this.oracle.name(handle)} shows contents of an object that was freed`);
    contents.fill(byteOf(handle));
  }

  /** An object that somebody holds, and nobody frees, is as it was written. */
  check(handle: number): void {
    const held = this.oracle.ghost.held.get(handle);
    if (!this.kept || held === undefined || held.frees > 0 || held.doomed) return;
    const { sizeClasses, slabSize } = this.a.layout;
    const size = held.slabs === 1 ? (sizeClasses[0] as number) : held.slabs * slabSize;
    const contents = this.of(handle, size);
    const byte = byteOf(handle);
    // Zeros are what a release leaves; another object's byte would be at an end, too.
    if (contents[0] !== byte || contents[size - 1] !== byte || contents.includes(0))
      this.oracle.fail(`R1: contents of ${this.oracle.name(handle)}, which is live, are lost`);
  }

  /** What a worker wrote into an object after a store that never got out did not get out either. */
  dropped(word: number, value: number): void {
    const { layout } = this.a;
    const isSlot = word >= layout.slotBase && word < layout.slotBase + layout.linkDelta;
    if (layout.zeroOnFree && isSlot && slotState(value) === SLOT_ALLOC)
      this.at(word - layout.slotBase, layout.sizeClasses[0] as number).fill(0);
    this.oracle.dropped(word, value);
  }

  private of(handle: number, size: number): Uint8Array {
    return this.at(handleSlot(handle), size);
  }

  private at(slot: number, size: number): Uint8Array {
    const { layout, u8 } = this.a;
    const inSlab = (slot & layout.positionMask) * (layout.sizeClasses[0] as number);
    const at = layout.payloadOffset + (slot >> layout.slotsShift) * layout.slabSize + inSlab;
    return u8.subarray(at, at + size);
  }
}

/** Never 0. */
function byteOf(handle: number): number {
  return 1 + (handle % 251);
}
