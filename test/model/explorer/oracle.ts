/**
 * What must hold after every operation, kept apart from the allocator's own words: it knows which objects there are and
 * who frees them from the operations' results alone. Letters and numbers name the invariants of docs/testing.md.
 */
import { ERA, type Layout, recordAt, SLAB_ERA, SLAB_TAG } from "../../../src/allocator/memory/layout.js";
import { handleSlot, packHandle } from "../../../src/allocator/words/handle.js";
import { TAG_LARGE, tagState } from "../../../src/allocator/words/slab-tag.js";
import { SLOT_ALLOC, slotState } from "../../../src/allocator/words/slot-word.js";
import { copyGhost, type Ghost, type Held, newGhost } from "./ghost.js";
import type { Machine } from "./machine.js";
import type { Mode } from "./memory.js";
import type { LogicalWorker } from "./worker.js";

/** How a free must end. */
export type Claim = { readonly held: Held | undefined; readonly expected: "true" | "false" | "either" };

export class Oracle {
  readonly layout: Layout;
  private readonly m: Int32Array;
  private readonly machine: Machine;
  private readonly mode: Mode;
  ghost: Ghost;

  private readonly bias: number;

  constructor(machine: Machine, layout: Layout, bias: number) {
    this.bias = bias;
    this.machine = machine;
    this.m = machine.m;
    this.layout = layout;
    this.mode = machine.mode;
    this.ghost = newGhost(machine.workers.length);
  }

  /** A copy to go back to. */
  save(): Ghost {
    return copyGhost(this.ghost);
  }

  restore(saved: Ghost): void {
    this.ghost = copyGhost(saved);
  }

  fail(message: string): void {
    this.machine.fail(message);
  }

  slabOf(handle: number): number {
    return handleSlot(handle) >> this.layout.slotsShift;
  }

  slotWord(handle: number): number {
    return this.layout.slotBase + handleSlot(handle);
  }

  /** The value a worker sees in a word: its own store buffer first. */
  private seen(worker: LogicalWorker, word: number): number {
    const at = worker.bufferWords.lastIndexOf(word);
    return at >= 0 ? (worker.bufferValues[at] as number) : (this.m[word] as number);
  }

  // -- objects -------------------------------------------------------------------------------------------

  /** The lowest era an alloc that begins now may be served from. */
  beginAlloc(worker: LogicalWorker): number {
    this.ghost.allocsBegun++;
    this.machine.noteGhost(0x08880000 + this.ghost.allocsBegun);
    // Where loads are never old, a PHASE bump before the alloc's first access is seen by it.
    const { floor, highestFloor } = this.ghost;
    return this.mode === "weak" ? (floor[worker.index] as number) : highestFloor;
  }

  allocated(worker: LogicalWorker, handle: number, size: number, floor: number, epoch?: number): void {
    const { ghost } = this;
    const slab = this.slabOf(handle);
    const slabs = size > this.layout.maxSmallSize ? Math.ceil(size / this.layout.slabSize) : 1;
    if (ghost.issued.has(handle)) this.fail(`I1: handle of ${this.name(handle)} was issued twice`);
    ghost.issued.add(handle);
    ghost.allocated++;
    const large = size > this.layout.maxSmallSize;
    for (const other of ghost.held.values()) {
      // Its free has done its work and only not returned yet.
      if (other.frees > 0) continue;
      const apart = other.slab + other.slabs <= slab || slab + slabs <= other.slab;
      const bothSmall = !large && other.slabs === 1 && !this.isLarge(other);
      const clash = bothSmall ? this.slotWord(other.handle) === this.slotWord(handle) : !apart;
      if (clash) this.fail(`I1: ${this.name(handle)} overlaps ${this.name(other.handle)}, which is live`);
    }
    const era = this.seen(worker, recordAt(slab) + SLAB_ERA);
    const newest = this.m[ERA] as number;
    if (era < floor || era > newest) {
      this.fail(
        `I4: an object in era ${era}, although all below ${floor} were closed before and ERA is ${newest}`,
      );
    }
    if (epoch !== undefined && era % 2 !== epoch) this.fail(`I4: asked for epoch ${epoch}, got era ${era}`);
    if (ghost.discarding.has(era)) {
      // A racing alloc: its object goes with the next sync of its owner.
      this.machine.noteGhost(handle % 1e9);
      return;
    }
    ghost.held.set(handle, { handle, slab, slabs, era, frees: 0, succeeded: 0, raced: false, doomed: false });
    this.machine.noteGhost(handle % 1e9);
  }

  /** The object's slot gets another generation; returns the handle the object has then. */
  age(handle: number, generation: number): number {
    const held = this.ghost.held.get(handle) as Held;
    const aged = packHandle(handleSlot(handle), (generation << 2) | SLOT_ALLOC, this.bias);
    this.ghost.held.delete(handle);
    this.ghost.held.set(aged, { ...held, handle: aged });
    return aged;
  }

  private isLarge(held: Held): boolean {
    return tagState(this.m[recordAt(held.slab) + SLAB_TAG] as number) === TAG_LARGE;
  }

  beginFree(worker: LogicalWorker, handle: number): Claim {
    this.ghost.freeing[worker.index] = handle;
    this.ghost.freesBegun++;
    this.machine.noteGhost(0x09990000 + this.ghost.freesBegun);
    const held = this.ghost.held.get(handle);
    if (held === undefined)
      return { held, expected: this.mayStillLookLive(worker, handle) ? "either" : "false" };
    held.frees++;
    if (held.frees > 1) held.raced = true;
    this.machine.noteGhost((handle % 1e9) + 0x40000000 + held.frees);
    return { held, expected: held.raced || held.doomed ? "either" : "true" };
  }

  /** Ended by another worker in a way this one need not see yet: without a message in between that is a race. */
  private mayStillLookLive(worker: LogicalWorker, handle: number): boolean {
    const { freedBy, issued, discarding, discarded } = this.ghost;
    if (!issued.has(handle)) return false;
    if (this.ghost.unknown.has(handle)) return true;
    const freer = freedBy.get(handle);
    if (freer === undefined) return this.mode === "weak" || discarding.size > discarded.size;
    if (freer === worker.index || this.mode === "sc") return false;
    return this.mode === "weak" || (this.machine.workers[freer]?.bufferWords.length ?? 0) > 0;
  }

  endFree(worker: LogicalWorker, handle: number, claim: Claim, freed: boolean): void {
    const { held, expected } = claim;
    this.ghost.freeing[worker.index] = undefined;
    if (expected === "false" && freed)
      this.fail(`I3: free of the stale handle of ${this.name(handle)} returned true`);
    if (held === undefined) return;
    held.frees--;
    if (freed) {
      held.succeeded++;
      this.ghost.freedBy.set(handle, worker.index);
      this.ghost.held.delete(handle);
    } else if (held.frees === 0 && held.succeeded === 0 && !held.doomed) {
      this.fail(`I3: free of ${this.name(handle)}, which is live, returned false`);
    }
    if (held.doomed && held.frees === 0) this.ghost.held.delete(handle);
    this.machine.noteGhost((handle % 1e9) + 0x20000000 + held.frees * 8 + held.succeeded);
  }

  isHeld(handle: number): boolean {
    const held = this.ghost.held.get(handle);
    return held !== undefined && held.frees === 0;
  }

  /** `before`: nobody had begun to free it when the look began. */
  looked(worker: LogicalWorker, handle: number, before: boolean, live: boolean): void {
    const held = this.ghost.held.get(handle);
    const throughout = before && held !== undefined && held.frees === 0 && !held.raced && !held.doomed;
    if (throughout && !live) this.fail(`I3: isLive of ${this.name(handle)}, which is live, returned false`);
    if (live && !before && held === undefined && !this.mayStillLookLive(worker, handle)) {
      this.fail(`I3: isLive of the stale handle of ${this.name(handle)} returned true`);
    }
  }

  /** Counters read at any moment: they may lag, but count nothing twice. */
  counted(allocs: number, frees: number): void {
    const { allocsBegun, freesBegun } = this.ghost;
    if (allocs > allocsBegun)
      this.fail(`I7: ${allocs} allocations are counted, but only ${allocsBegun} were begun`);
    if (frees > freesBegun) this.fail(`I7: ${frees} frees are counted, but only ${freesBegun} were begun`);
  }

  // -- epochs --------------------------------------------------------------------------------------------

  /** This worker must not be given anything below `era` any more. */
  closed(worker: LogicalWorker, era: number): void {
    const floor = this.ghost.floor[worker.index] as number;
    this.ghost.floor[worker.index] = Math.max(floor, era);
    this.ghost.highestFloor = Math.max(this.ghost.highestFloor, era);
    this.machine.noteGhost(0x66660000 + this.ghost.highestFloor * 64 + worker.index);
  }

  /** A call begins that closes epochs whoever is inside. */
  beginClosing(worker: LogicalWorker): void {
    this.ghost.closings++;
    this.machine.noteGhost(0x7a7a0000 + worker.index);
  }

  /** It has closed nothing from `era` on. */
  endClosing(worker: LogicalWorker, era: number): void {
    this.ghost.closings--;
    this.ghost.closedBelow = Math.max(this.ghost.closedBelow, era);
    this.machine.noteGhost(0x7a7a0000 + worker.index);
    this.machine.noteGhost(0x7a7b0000 + this.ghost.closedBelow);
  }

  beginDiscard(eras: readonly number[]): void {
    for (const era of eras) this.ghost.discarding.add(era);
    for (const held of this.ghost.held.values()) {
      if (!eras.includes(held.era)) continue;
      held.doomed = true;
      if (held.frees === 0) this.ghost.held.delete(held.handle);
    }
    this.machine.noteGhost(0x11110000 + eras.length * 64 + (eras[0] ?? 0));
  }

  endDiscard(eras: readonly number[]): void {
    for (const era of eras) this.ghost.discarded.add(era);
    this.machine.noteGhost(0x22220000 + eras.length * 64 + (eras[0] ?? 0));
  }

  entered(worker: LogicalWorker, era: number, auto: boolean): void {
    (this.ghost.inside[worker.index] as number[]).push(era);
    if (auto) this.ghost.autoClose.add(era);
    this.machine.noteGhost(0x33330000 + worker.index * 1024 + era);
  }

  leaving(worker: LogicalWorker, era: number): void {
    const inside = this.ghost.inside[worker.index] as number[];
    const at = inside.lastIndexOf(era);
    if (at >= 0) inside.splice(at, 1);
    this.machine.noteGhost(0x44440000 + worker.index * 1024 + era);
  }

  retained(era: number, by: number): void {
    const { retains } = this.ghost;
    retains.set(era, Math.max(0, (retains.get(era) ?? 0) + by));
    this.machine.noteGhost(0x55550000 + era * 16 + (retains.get(era) ?? 0));
  }

  isReferenced(era: number): boolean {
    return (
      (this.ghost.retains.get(era) ?? 0) > 0 ||
      this.machine.workers.some((w) => !w.dead && (this.ghost.inside[w.index] as number[]).includes(era))
    );
  }

  // -- seats ---------------------------------------------------------------------------------------------

  seated(seat: number, worker: number): void {
    this.ghost.sitters.set(seat, worker);
  }

  isDead(seat: number): boolean {
    const sitter = this.ghost.sitters.get(seat);
    return sitter !== undefined && this.machine.workers[sitter]?.dead === true;
  }

  sits(worker: LogicalWorker, seat: number): boolean {
    return this.ghost.sitters.get(seat) === worker.index;
  }

  /** A worker died: what it was freeing may be freed or not. */
  died(worker: LogicalWorker, lost: number): void {
    const { ghost } = this;
    ghost.lost += lost;
    // An allocation it died in may count as one object that came and went.
    ghost.freesBegun += lost;
    (ghost.inside[worker.index] as number[]).length = 0;
    const handle = ghost.freeing[worker.index];
    ghost.freeing[worker.index] = undefined;
    if (handle !== undefined) this.forget(handle);
    this.machine.noteGhost(0x0d1e0000 + worker.index * 256 + lost);
  }

  /**
   * A store died with its worker. An object nobody was told of was never there; a free that nobody saw leaves an object
   * that nobody holds.
   */
  dropped(word: number, value: number): void {
    const { layout, ghost, machine } = this;
    if (word < layout.slotBase || word >= layout.slotBase + layout.linkDelta) return;
    const slot = word - layout.slotBase;
    if (slotState(value) !== SLOT_ALLOC) {
      ghost.lost++;
      for (const handle of ghost.freedBy.keys()) if (handleSlot(handle) === slot) ghost.unknown.add(handle);
    } else {
      const handle = packHandle(slot, value, this.bias);
      this.forget(handle);
      ghost.issued.delete(handle);
      // It counts as one that came and went.
      ghost.freesBegun++;
    }
    machine.noteGhost(0x0d0d0000 + slot * 16 + slotState(value));
  }

  private forget(handle: number): void {
    const held = this.ghost.held.get(handle);
    if (held !== undefined) held.raced = true;
    this.ghost.held.delete(handle);
    this.ghost.unknown.add(handle);
    this.machine.noteGhost((handle % 1e9) + 0x10000000);
  }

  /** An object in words. */
  name(handle: number): string {
    const slot = handleSlot(handle);
    return `slot ${slot & this.layout.positionMask} of slab ${slot >> this.layout.slotsShift} (handle ${handle})`;
  }
}
