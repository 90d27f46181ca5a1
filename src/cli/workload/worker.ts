/** One worker thread of a workload: attaches, works in slices, frees what it holds and leaves. */
import { parentPort, workerData } from "node:worker_threads";
import { type Handle, SlabHeap } from "../../index.js";
import { ClaimMap } from "./claims.js";
import { Control, PHASE_DRAIN, PHASE_READY, PHASE_RUN } from "./control.js";
import { Handoff } from "./handoff.js";
import { type Job, JobContext } from "./job.js";
import type { Damage, WorkerMessage, WorkerTask } from "./messages.js";
import { CheckedObjects } from "./objects.js";
import { Pacer } from "./pacer.js";
import { Patience } from "./patience.js";
import { Random } from "./random.js";
import { describeReleaser, releaseOptions } from "./release.js";
import { ReplayJob } from "./replay.js";
import { RequestJob } from "./requests.js";

/** Steps between two looks at the rings and the phase. */
const STEPS_PER_SLICE = 4;
/** A sleeping worker looks at its rings that often. */
const MAX_SLEEP_MS = 20;
/** Findings a worker spells out; further ones are only counted. */
const MAX_REPORTED_DAMAGE = 20;

function post(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}

function main(task: WorkerTask): void {
  const { plan, slot, worker } = task;
  // Functions do not travel: every thread makes its own.
  const release = releaseOptions(plan.release);
  using heap = SlabHeap.attach(task.heap, release);
  const control = new Control(task.control);
  // A replacement goes on counting where its predecessor stopped.
  const tally = control.row(slot);
  let reported = 0;
  const report = (damage: Damage) => {
    control.publish(slot, tally);
    if (reported++ < MAX_REPORTED_DAMAGE) post({ type: "damage", damage });
  };
  const patience = new Patience(control);
  const objects = new CheckedObjects({
    heap,
    claims: new ClaimMap(task.claims),
    tally,
    patience,
    worker,
    checkEvery: plan.checkEvery,
    injectDamage: plan.injectDamage,
    report,
  });
  const handoff = new Handoff(task.rings, plan.threads, slot);
  const random = new Random(plan.seed, worker);
  const context = new JobContext({ plan, heap, objects, handoff, random, tally, control, patience });
  const job: Job = task.trace === undefined ? new RequestJob(context) : new ReplayJob(context, task.trace);
  const freeReceived = (handle: number, length: number, owner: number, sequence: number) =>
    objects.free(handle as Handle, length, owner, sequence);
  /** Between slices: pass on, take over, honour closes and reaps, show the figures. */
  const housekeeping = (): number => {
    handoff.publish();
    const received = handoff.receive(freeReceived);
    heap.poll();
    control.publish(slot, tally);
    return received;
  };

  post({ type: "ready", releaser: describeReleaser(release.pageReleaser) });
  while (control.phase === PHASE_READY) control.sleepWhile(PHASE_READY, 1000);
  const pacer = new Pacer(plan.requestRate / plan.threads);
  let more = true;
  while (more && control.phase === PHASE_RUN) {
    for (let due = pacer.take(STEPS_PER_SLICE); due > 0 && more; due--) more = job.step();
    housekeeping();
    const wait = pacer.msUntilNext();
    if (more && wait > 0) control.sleepWhile(PHASE_RUN, Math.min(wait, MAX_SLEEP_MS));
  }
  job.finish();
  housekeeping();
  post({ type: "stopped" });
  for (let phase = control.phase; phase !== PHASE_DRAIN; phase = control.phase) {
    control.sleepWhile(phase, MAX_SLEEP_MS);
    housekeeping();
  }
  while (housekeeping() > 0);
  post({ type: "done", leaked: job.leaked() });
}

main(workerData as WorkerTask);
