/**
 * Seeing every allocation of a heap object, for as long as somebody asks: nothing is tested for it on the hot path.
 *
 * While on, the object the heap inherits `alloc` and `allocOffset` from (its own prototype when specialised, else
 * FastHeap.prototype, which the thread's other heaps share) has two functions in their place that call them and
 * then `afterAlloc`. Heaps that share the object and are not watched pay one test while it lasts.
 *
 * Why the properties are deleted and defined anew, on the prototype, and no heap's prototype is exchanged:
 * V8 folds a function found on a prototype into its caller as long as the property was never assigned to, and what
 * it learnt at a call site it learnt by the heap's hidden class. Exchanging the prototype gives the heap a new
 * class with every start and every stop, and from the third on all call sites run 3-6 times slower until they
 * are thrown away; assigning takes the folding away for good (2 times slower). Deleting makes V8 rebuild
 * the prototype as if it was new: afterwards a pair is as fast as before, however often this is done.
 */
import { AlreadySampledError, HeapDetachedError } from "../errors.js";
import type { AfterAlloc, Attachment } from "../memory/attachment.js";
import type { EpochId, Handle } from "../types.js";
import type { FastHeap, FastOperations } from "./fast-path.js";

type Allocating = Pick<FastOperations, "alloc" | "allocOffset">;
const NAMES: readonly (keyof Allocating)[] = ["alloc", "allocOffset"];

/** An object that holds the allocating functions of one or more heaps, and those of them that are watched. */
class Gate {
  private readonly holder: object;
  private readonly plain: readonly PropertyDescriptor[];
  private readonly watching: readonly PropertyDescriptor[];
  private readonly watched = new Set<Attachment>();

  constructor(holder: Allocating) {
    this.holder = holder;
    this.plain = NAMES.map((name) => Object.getOwnPropertyDescriptor(holder, name) as PropertyDescriptor);
    const hooks = hooksOf(holder);
    this.watching = NAMES.map((name, i) => ({ ...this.plain[i], value: hooks[name] }));
  }

  add(a: Attachment): void {
    this.watched.add(a);
    if (this.watched.size === 1) this.put(this.watching);
  }

  remove(a: Attachment): void {
    if (this.watched.delete(a) && this.watched.size === 0) this.put(this.plain);
  }

  private put(functions: readonly PropertyDescriptor[]): void {
    for (const name of NAMES) Reflect.deleteProperty(this.holder, name);
    NAMES.forEach((name, i) => {
      Object.defineProperty(this.holder, name, functions[i] as PropertyDescriptor);
    });
  }
}

/** The functions put in place of those of `holder`; made once, because V8 folds what a closure captured only then. */
function hooksOf(holder: Allocating): Allocating {
  const { alloc, allocOffset } = holder;
  return {
    alloc: function interceptedAlloc(this: FastHeap, size: number, epoch?: EpochId): Handle {
      const handle = alloc.call(this, size, epoch);
      const { afterAlloc } = this._a;
      if (afterAlloc !== undefined && handle !== 0) afterAlloc("handle", handle, size, interceptedAlloc);
      return handle;
    },
    allocOffset: function interceptedAllocOffset(this: FastHeap, size: number): number {
      const offset = allocOffset.call(this, size);
      const { afterAlloc } = this._a;
      if (afterAlloc !== undefined && offset !== 0)
        afterAlloc("offset", offset, size, interceptedAllocOffset);
      return offset;
    },
  };
}

const gates = new WeakMap<object, Gate>();
const gateOf = new WeakMap<Attachment, Gate>();

/** The gate in front of what `heap` inherits now. */
function gateFor(heap: FastHeap): Gate {
  let holder = Object.getPrototypeOf(heap) as Allocating;
  while (!Object.hasOwn(holder, "alloc")) holder = Object.getPrototypeOf(holder) as Allocating;
  const gate = gates.get(holder) ?? new Gate(holder);
  gates.set(holder, gate);
  return gate;
}

/**
 * Calls `afterAlloc` for every object that `heap` allocates, domains and `allocOrThrow` included, until the returned
 * function is called (which may be done twice) or the heap is detached. Allocations of other threads are not
 * seen. Throws {@link AlreadySampledError} while another call is in force, {@link HeapDetachedError}.
 */
export function interceptAllocs(heap: FastHeap, afterAlloc: AfterAlloc): () => void {
  const { _a: a } = heap;
  if (a.detached) {
    throw new HeapDetachedError(
      `This SlabHeap gave its seat ${a.seat} back: it allocates nothing to sample.`,
    );
  }
  if (a.afterAlloc !== undefined) {
    throw new AlreadySampledError("Allocations of this SlabHeap are being sampled already; stop that first.");
  }
  const gate = gateFor(heap);
  a.afterAlloc = afterAlloc;
  gateOf.set(a, gate);
  gate.add(a);
  let on = true;
  return () => {
    if (on) endInterception(a);
    on = false;
  };
}

/** Ends whatever interception there is of a heap; called by itself when the heap is detached. */
export function endInterception(a: Attachment): void {
  gateOf.get(a)?.remove(a);
  gateOf.delete(a);
  a.afterAlloc = undefined;
}

/** To be called when a heap has got another prototype. */
export function followShape(heap: FastHeap): void {
  const { _a: a } = heap;
  const gate = gateOf.get(a);
  if (gate === undefined) return;
  const next = gateFor(heap);
  gate.remove(a);
  next.add(a);
  gateOf.set(a, next);
}
