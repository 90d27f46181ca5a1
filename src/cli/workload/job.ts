/** What a worker does step by step, and the parts every job is made of. */
import {
  EpochClosedError,
  type EpochDomain,
  type EpochRef,
  type Handle,
  type SlabHeap,
} from "../../index.js";
import type { Control, Tally } from "./control.js";
import type { Handoff } from "./handoff.js";
import type { WorkerLeaks } from "./messages.js";
import type { CheckedObjects } from "./objects.js";
import type { Patience } from "./patience.js";
import type { WorkloadPlan } from "./plan.js";
import type { Random } from "./random.js";

/** A pattern of requests or a trace, cut into steps of well under a millisecond or so. */
export interface Job {
  /** Does one step; false when all work is done. */
  step(): boolean;
  /** Ends what is half done, frees everything but leaks and checks those. */
  finish(): void;
  leaked(): WorkerLeaks;
}

/** The parts of one worker that jobs share. */
export class JobContext {
  readonly plan: WorkloadPlan;
  readonly heap: SlabHeap;
  readonly objects: CheckedObjects;
  readonly handoff: Handoff;
  readonly random: Random;
  readonly tally: Tally;
  readonly #control: Control;
  readonly #patience: Patience;
  #stopping = false;

  constructor(parts: {
    plan: WorkloadPlan;
    heap: SlabHeap;
    objects: CheckedObjects;
    handoff: Handoff;
    random: Random;
    tally: Tally;
    control: Control;
    patience: Patience;
  }) {
    this.plan = parts.plan;
    this.heap = parts.heap;
    this.objects = parts.objects;
    this.handoff = parts.handoff;
    this.random = parts.random;
    this.tally = parts.tally;
    this.#control = parts.control;
    this.#patience = parts.patience;
  }

  /** Enters a domain of the current epoch; allocations go to that epoch from now on. */
  openDomain(label: string): EpochDomain {
    for (;;) {
      try {
        const domain = this.heap.openDomain({ label, autoClose: false });
        this.objects.epoch = domain.epoch.id;
        this.#patience.served();
        return domain;
      } catch (error) {
        if (!(error instanceof EpochClosedError)) throw error;
        this.#patience.refused("openDomain");
      }
    }
  }

  /** Counts a request and closes its epoch when the policy says so. */
  endRequest(epoch: EpochRef): void {
    this.tally.requests++;
    if (!this.#control.countRequest(this.plan.epochEvery)) return;
    const report = this.heap.closeEpoch(epoch);
    // The epoch may have been closed already, by a thread that was in it too: the call drains what is this thread's.
    this.tally.close_calls++;
    if (report.applied) this.tally.advances++;
    this.tally.slabs_scanned += report.slabsScanned;
    this.tally.slabs_recycled += report.slabsRecycled;
  }

  /** Frees an object of this worker here, or hands it to another worker to free. */
  letGo(handle: Handle, length: number, sequence: number): void {
    const { objects } = this;
    if (!this.#stopping && this.random.chance(this.plan.handoffPercent)) {
      if (this.handoff.push(handle, length, objects.owner, sequence)) {
        this.tally.handed_over++;
        return;
      }
      this.tally.handoff_full++;
    }
    objects.free(handle, length, objects.owner, sequence);
  }

  /** From now on everything is freed here: nobody may be left to take it. */
  stopHandingOver(): void {
    this.#stopping = true;
    this.handoff.publish();
  }
}
