/** One round: a heap, laps of threads at work on it, and after each lap everything that must hold then. */
import { SlabHeap } from "temporal-slab";
import {
  Control,
  FLOOR,
  HandleRing,
  newControl,
  newRing,
  ROW_COUNT,
  Row,
  TALLIES,
  type Tally,
} from "./board.mjs";
import {
  type Account,
  checkCounters,
  checkIdentities,
  checkNothingLeft,
  checkReferences,
  checkSeats,
  checkSoundness,
  checkWholeMemory,
  Observer,
} from "./checks.js";
import { Crew } from "./crew.js";
import { judgeLap, type Reading, takeReading } from "./memory.js";
import type { LapPlan, RoundPlan } from "./plan.js";

export type Totals = Record<Tally | "kills" | "unattributed" | "laps", number>;

export interface RoundResult {
  readonly totals: Totals;
  /** Sentences; the round is over with the first lap that has any. */
  readonly problems: readonly string[];
}

export function noTotals(): Totals {
  const tallies = Object.fromEntries(TALLIES.map((name) => [name, 0])) as Record<Tally, number>;
  return { ...tallies, kills: 0, unattributed: 0, laps: 0 };
}

export function addTotals(to: Totals, from: Totals): void {
  for (const name of Object.keys(to) as (keyof Totals)[]) to[name] += from[name];
}

/** Called between the end of a lap's threads and its checks: the canaries do damage there. */
export type Meddle = (heap: SlabHeap) => void;

export async function runRound(plan: RoundPlan, meddle?: Meddle): Promise<RoundResult> {
  const heap = SlabHeap.create(plan.heap);
  const observer = new Observer(heap);
  const totals = noTotals();
  const problems: string[] = [];
  let first: Reading | undefined;
  for (const lap of plan.laps) {
    problems.push(...(await runLap(heap, observer, plan, lap, totals, meddle)));
    if (problems.length > 0) break;
    const touched = Number(observer.look().document.heap.touched_bytes);
    if (touched > heap.capacity) problems.push(`${touched} bytes were touched of ${heap.capacity}`);
    const now = takeReading();
    first ??= now;
    problems.push(...judgeLap(first, now, heap.buffer.byteLength, plan.threads));
  }
  heap.detach();
  return { totals, problems };
}

async function runLap(
  heap: SlabHeap,
  observer: Observer,
  plan: RoundPlan,
  lap: LapPlan,
  totals: Totals,
  meddle?: Meddle,
): Promise<string[]> {
  const control = new Control(newControl());
  control.set(FLOOR, heap.currentEpoch.era);
  const ring = newRing(plan.ringCells);
  const before = observer.look();
  const crew = new Crew(heap, control, ring, plan, lap);
  await crew.run();
  // In transit when the lap ended.
  for (const handle of new HandleRing(ring).drain()) crew.giveBack(handle);
  const account = sumUp(control, crew, totals);
  const failure = control.failure();
  if (failure !== "") return [failure];
  meddle?.(heap);

  heap.poll();
  const { document, problems } = observer.look();
  return [
    ...before.problems,
    ...problems,
    ...checkSeats(heap),
    ...checkSoundness(heap),
    ...checkCounters(heap, document, before.document, account),
    ...checkIdentities(document, totals.kills),
    ...observer.fresh(heap),
    ...(account.kills === 0 ? checkNothingLeft(heap) : []),
    ...checkReferences(heap, totals.kills),
    ...checkWholeMemory(heap, plan.heap.zeroOnFree === true),
    ...observer.look().problems,
  ];
}

/** Adds what all rows say to the totals. */
function sumUp(control: Control, crew: Crew, totals: Totals): Account {
  const lap = noTotals();
  for (let row = 0; row < ROW_COUNT; row++) {
    for (const name of TALLIES) lap[name] += new Row(control, row).tally(name);
  }
  lap.kills = crew.kills;
  lap.unattributed = crew.unattributed;
  lap.laps = 1;
  addTotals(totals, lap);
  return { allocs: lap.allocs, frees: lap.frees, refusals: lap.refusals, kills: crew.kills };
}
