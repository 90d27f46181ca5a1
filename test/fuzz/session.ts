/**
 * Calls on a heap that may be damaged, and what is demanded of their answers.
 *
 * Strict: as on a sound heap, or a typed error that says the heap or the seat cannot be used; that ends the case.
 * Lax (the damage was reported): any answer and any typed error, but nothing else, and no end of the process.
 */
import type { SlabHeap } from "../../src/allocator/heap/heap.js";
import { SEAT_WORD } from "../../src/allocator/memory/layout.js";
import { packSeat, SEAT_FREE } from "../../src/allocator/words/seat-word.js";
import type { World } from "./frozen-heap.js";
import { errorText, isPackageError, Violation } from "./outcome.js";

/** A typed error ended the case. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.code = code;
  }
}

/** Errors that are an answer to damage. Others would be lies about the arguments. */
const REFUSALS: readonly string[] = [
  "ERR_TSLAB_FORMAT",
  "ERR_TSLAB_DETACHED",
  "ERR_TSLAB_SEATS_EXHAUSTED",
  "ERR_TSLAB_EPOCH_CLOSED",
];

export class Session {
  readonly world: World;
  readonly strict: boolean;
  /** Answers in order, which those on a sound heap must equal. */
  readonly trace: number[] = [];
  /** Every heap object there was, to be stopped at the end. */
  readonly opened: SlabHeap[];
  /** An alloc found no room. */
  ranOut = false;
  private readonly expected: readonly number[] | undefined;

  constructor(world: World, strict: boolean, expected?: readonly number[]) {
    this.world = world;
    this.opened = [...world.heaps];
    this.strict = strict;
    this.expected = expected;
  }

  /** Calls; undefined where a typed error was an acceptable answer. */
  ask<T>(name: string, call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      if (error instanceof Refused) throw error;
      if (error instanceof Violation) {
        if (this.strict) throw this.isSeatLost() ? new Refused(error.message) : error;
        return undefined;
      }
      if (!isPackageError(error)) throw new Violation("foreign", `${name}: ${errorText(error)}`);
      if (!this.strict) return undefined;
      if (REFUSALS.includes(error.code) || this.isSeatLost()) {
        throw new Refused(error.message, error.code);
      }
      throw new Violation("wrong", `${name}: ${errorText(error)}`);
    }
  }

  demand(holds: boolean, message: string): void {
    if (holds || !this.strict) return;
    // A seat lost to damage of its word: every further call says so.
    if (this.isSeatLost()) throw new Refused(message);
    throw new Violation("wrong", message);
  }

  /** An answer that is the same on a sound heap, or better: a larger one. */
  note(name: string, answer: number | boolean | undefined): void {
    const value = Number(answer);
    const at = this.trace.push(value) - 1;
    if (this.expected === undefined) return;
    this.demand(value >= this.expected[at], `${name}: ${value}, on a sound heap ${this.expected[at]}`);
  }

  /** A lost seat is left to its reaper: detach() is as quiet as on a sound heap, and its slabs stay. */
  demandLeft({ _a: a }: SlabHeap): void {
    const left = packSeat(a.incarnation, 0, SEAT_FREE);
    if (this.strict && a.m[a.seatBase + SEAT_WORD] !== left) throw new Refused("the seat was lost");
  }

  /** Another seat joins. */
  join(heap: SlabHeap): void {
    this.world.heaps.push(heap);
    this.opened.push(heap);
  }

  private isSeatLost(): boolean {
    return this.world.heaps.some((heap) => heap._a.detached);
  }
}
