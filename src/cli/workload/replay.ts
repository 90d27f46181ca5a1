/** Replays a recorded trace: one repetition is one request, with one domain around it. */
import { type EpochDomain, type Handle, NULL_HANDLE } from "../../index.js";
import type { Job, JobContext } from "./job.js";
import type { WorkerLeaks } from "./messages.js";

const EVENTS_PER_STEP = 2048;
const LABEL = "trace-replay";

export class ReplayJob implements Job {
  readonly #context: JobContext;
  readonly #events: Int32Array;
  /** By trace slot: what the slot holds now; NULL_HANDLE when it is empty or the heap was full. */
  readonly #handles: Float64Array;
  readonly #lengths: Float64Array;
  readonly #sequences: Int32Array;
  #position = 0;
  #domain: EpochDomain | undefined;

  constructor(context: JobContext, trace: { readonly events: Int32Array; readonly slots: number }) {
    this.#context = context;
    this.#events = trace.events;
    this.#handles = new Float64Array(trace.slots);
    this.#lengths = new Float64Array(trace.slots);
    this.#sequences = new Int32Array(trace.slots);
  }

  step(): boolean {
    const { plan, tally } = this.#context;
    if (plan.repeat > 0 && tally.repeats >= plan.repeat) return false;
    this.#domain ??= this.#context.openDomain(LABEL);
    const end = Math.min(this.#events.length, this.#position + EVENTS_PER_STEP * 2);
    for (; this.#position < end; this.#position += 2) {
      const size = this.#events[this.#position];
      const slot = this.#events[this.#position + 1];
      if (size > 0) this.#allocate(size, slot);
      else this.#free(slot);
    }
    if (this.#position === this.#events.length) this.#endRepetition(this.#domain);
    return true;
  }

  finish(): void {
    this.#context.stopHandingOver();
    this.#freeAll();
    this.#domain?.exit();
    this.#domain = undefined;
  }

  leaked(): WorkerLeaks {
    return { live_objects: 0, bytes: 0, eras: [], oldest: [] };
  }

  #endRepetition(domain: EpochDomain): void {
    // A program need not free everything before it ends.
    this.#freeAll();
    domain.exit();
    this.#domain = undefined;
    this.#position = 0;
    this.#context.tally.repeats++;
    this.#context.endRequest(domain.epoch);
  }

  #allocate(size: number, slot: number): void {
    const { objects } = this.#context;
    if (!objects.allocate(size)) return;
    this.#handles[slot] = objects.handle;
    this.#lengths[slot] = objects.length;
    this.#sequences[slot] = objects.sequence;
  }

  #free(slot: number): void {
    const handle = this.#handles[slot] as Handle;
    if (handle === NULL_HANDLE) return;
    this.#handles[slot] = NULL_HANDLE;
    this.#context.letGo(handle, this.#lengths[slot], this.#sequences[slot]);
  }

  #freeAll(): void {
    for (let slot = 0; slot < this.#handles.length; slot++) this.#free(slot);
  }
}
