/**
 * A heap in the middle of its work, kept so that it can be brought back any number of times: its bytes, what each seat's
 * thread remembers privately, and what a user knows of its objects.
 */
import { EpochDomain } from "../../src/allocator/heap/domain.js";
import { SlabHeap } from "../../src/allocator/heap/heap.js";
import { Attachment } from "../../src/allocator/memory/attachment.js";
import type { Layout } from "../../src/allocator/memory/layout.js";
import type { EpochRef } from "../../src/allocator/types.js";
import { type LiveObject, LiveObjects } from "./live-objects.js";

/** Who has the heap, and what is in it. */
export interface World {
  readonly heaps: SlabHeap[];
  /** Seats whose threads are gone and were not reaped. */
  readonly dead: { readonly seat: number; readonly incarnation: number }[];
  readonly live: LiveObjects;
  /** Handles of objects that have ended. */
  readonly stale: number[];
}

interface FrozenDomain {
  readonly epoch: EpochRef;
  readonly label: string;
  readonly autoClose: boolean;
  readonly levels: number;
}

interface FrozenSeat {
  readonly from: Attachment;
  /** Copies: the attachment itself goes on. */
  readonly rec: Int32Array;
  readonly depth: Int32Array;
  readonly domains: readonly FrozenDomain[];
}

/** Private words of an attachment that are neither constant nor arrays. */
const REMEMBERED = [
  "rules",
  "deepSeen",
  "doomsSeen",
  "pressureSeen",
  "exhaustedPhase",
  "foundRun",
  "pressureAtMs",
  "lastFailure",
  "pendingCursor",
] as const;

export class FrozenHeap {
  readonly name: string;
  readonly buffer: SharedArrayBuffer;
  readonly layout: Layout;
  /** Metadata, as it was. */
  readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  private readonly seats: readonly FrozenSeat[];
  private readonly dead: World["dead"];
  private readonly live: readonly LiveObject[];
  private readonly stale: readonly number[];

  /** Ends the use of the world's own heap objects. */
  constructor(name: string, world: World) {
    const { _a: a } = world.heaps[0];
    this.name = name;
    this.buffer = a.buffer;
    this.layout = a.layout;
    this.words = a.m.slice();
    this.bytes = a.u8.slice(a.layout.payloadOffset);
    this.seats = world.heaps.map(freezeSeat);
    this.dead = world.dead;
    this.live = world.live.list();
    this.stale = world.stale;
    for (const heap of world.heaps) closeHeap(heap);
  }

  /** The heap as it was, in the same buffer. Close what it returns before the next one. */
  thaw(): World {
    this.restore();
    const heaps = this.seats.map((seat) => thawSeat(seat));
    return { heaps, dead: [...this.dead], live: new LiveObjects(this.live), stale: [...this.stale] };
  }

  restore(): void {
    new Int32Array(this.buffer, 0, this.words.length).set(this.words);
    new Uint8Array(this.buffer, this.layout.payloadOffset, this.bytes.length).set(this.bytes);
  }
}

function freezeSeat(heap: SlabHeap): FrozenSeat {
  const { _a: a } = heap;
  const levels = new Map<EpochDomain, number>();
  for (const domain of heap.domains) levels.set(domain, (levels.get(domain) ?? 0) + 1);
  const domains = [...levels].map(([{ epoch, label, autoClose }, entered]) => {
    return { epoch, label, autoClose, levels: entered };
  });
  return { from: a, rec: a.rec.slice(), depth: a.depth.slice(), domains };
}

function thawSeat({ from, rec, depth, domains }: FrozenSeat): SlabHeap {
  const a = new Attachment(from.buffer, from.layout, from.seat, from.incarnation, from.seatWord);
  a.rec.set(rec);
  a.depth.set(depth);
  for (const name of REMEMBERED) Reflect.set(a, name, from[name]);
  // The constructor is private to users.
  const heap = Reflect.construct(SlabHeap, [a]) as SlabHeap;
  for (const { epoch, label, autoClose, levels } of domains) {
    const domain = new EpochDomain(heap, epoch, label, autoClose, false);
    Reflect.set(domain, "levels", levels);
    for (let level = 0; level < levels; level++) heap.domains.push(domain);
  }
  return heap;
}

/** Stops a heap object without touching the buffer: its thread just ceases. */
export function closeHeap(heap: SlabHeap): void {
  heap._a.detached = true;
  (heap as unknown as { close(): void }).close();
}
