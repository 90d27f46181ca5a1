/**
 * One damaged word and what comes of it. Defends: a heap with one metadata word overwritten is refused with a typed error,
 * or reported by verify(), or works as a sound one does; and whichever it is, no call hangs, throws anything but the
 * package's errors, or writes into a live object.
 */
import { SlabHeap } from "../../src/allocator/heap/heap.js";
import type { VerifyReport } from "../../src/allocator/types.js";
import { StatsReader, stringifyStats } from "../../src/stats.js";
import { type Region, type RegionKind, regionsOf } from "./buffer-regions.js";
import { runBriefly, runContinuation } from "./continuation.js";
import { closeHeap, type FrozenHeap } from "./frozen-heap.js";
import { knownHang } from "./known-damage.js";
import { isPackageError, Violation } from "./outcome.js";
import { Refused, Session } from "./session.js";

export interface Damage {
  /** Index of the word and what it is overwritten with. */
  readonly word: number;
  readonly value: number;
  /** A new seat is attached first; otherwise the heap's own seats go on. */
  readonly attach: boolean;
  /** Seed of the calls that follow, or BRIEF for a few. */
  readonly script: number;
}

export const BRIEF = -1;

/** Where a case is. "verify" includes attaching and reading the statistics. */
export const STAGES = ["sound heap", "verify", "calls", "calls after the report"] as const;
export type Stage = (typeof STAGES)[number];

export type DamageOutcome = "refused" | "reported" | "harmless" | "known";

export class DamageTarget {
  readonly frozen: FrozenHeap;
  readonly regions: readonly Region[];
  private readonly verify: (heap: SlabHeap) => VerifyReport;
  private readonly soundTraces = new Map<number, readonly number[] | undefined>();
  private opened: readonly SlabHeap[] = [];

  private readonly skipsHangs: boolean;

  /** `verify`: for canaries, one that overlooks damage. `skipsHangs`: leaves out what is known to hang. */
  constructor(
    frozen: FrozenHeap,
    verify: (heap: SlabHeap) => VerifyReport = (heap) => heap.verify(),
    skipsHangs = true,
  ) {
    this.skipsHangs = skipsHangs;
    this.frozen = frozen;
    this.regions = regionsOf(frozen.layout);
    this.verify = verify;
  }

  /** Throws {@link Violation}. `enter` is told what begins. */
  run(damage: Damage, enter: (stage: Stage) => void = () => {}): DamageOutcome {
    enter("sound heap");
    const expected = this.soundTrace(damage);
    const region = this.regions[damage.word];
    const session = this.start(damage);
    try {
      if (this.skipsHangs && knownHang(region.name, "verify")) return "known";
      enter("verify");
      this.readFigures(region.kind, damage.script === BRIEF);
      const reported = this.attachAndVerify(session, damage.attach);
      const stage = reported ? "calls after the report" : "calls";
      const mayHang = damage.script !== BRIEF && knownHang(region.name, stage);
      if (this.skipsHangs && mayHang) return "known";
      enter(stage);
      // Statistics and hints are never an excuse.
      const excused = reported && !["figure", "hint", "unused"].includes(region.kind);
      const { world } = session;
      const next = new Session(world, !excused, expected);
      this.opened = next.opened;
      let refused = false;
      try {
        runScript(next, damage.script);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        const ofHeader = error.code === "ERR_TSLAB_FORMAT" && !/Create a new heap\.$/.test(error.message);
        if (ofHeader && region.kind !== "config") {
          throw new Violation("late", `calls have spread the damage to the header: ${error.message}`);
        }
        refused = true;
      }
      this.checkContents(next);
      if (refused) return "refused";
      return reported ? "reported" : "harmless";
    } catch (error) {
      if (error instanceof Refused) return "refused";
      throw error;
    } finally {
      this.close();
    }
  }

  /**
   * What a sound heap answers; undefined where it runs out of memory, because what it finds then depends on hints and on
   * the time. Throws when it is not sound: nothing could be learnt from a damaged one.
   */
  private soundTrace({ attach, script }: Damage): readonly number[] | undefined {
    const key = script * 2 + (attach ? 1 : 0);
    if (this.soundTraces.has(key)) return this.soundTraces.get(key);
    const session = this.start(undefined);
    try {
      if (this.attachAndVerify(session, attach)) {
        throw new Violation(
          "wrong",
          `the undamaged heap is reported: ${session.world.heaps[0].verify().problems}`,
        );
      }
      runScript(session, script);
      this.soundTraces.set(key, session.ranOut ? undefined : session.trace);
      return this.soundTraces.get(key);
    } finally {
      this.close();
    }
  }

  private start(damage: Damage | undefined): Session {
    const session = new Session(this.frozen.thaw(), true);
    this.opened = session.opened;
    if (damage !== undefined) session.world.heaps[0]._a.m[damage.word] = damage.value;
    return session;
  }

  /** From outside, as a monitor would. */
  private readFigures(kind: RegionKind, brief: boolean): void {
    try {
      const reader = StatsReader.open(this.frozen.buffer);
      if (brief && kind !== "figure") return;
      const document = reader.snapshot();
      if (!brief) stringifyStats(document);
    } catch (error) {
      if (!isPackageError(error)) throw new Violation("foreign", `snapshot: ${String(error)}`);
    }
  }

  /** Whether verify() reports anything. */
  private attachAndVerify(session: Session, attach: boolean): boolean {
    const { heaps } = session.world;
    let heap = heaps[0];
    if (attach) {
      const ref = heap.share();
      const joined = session.ask("attach", () => SlabHeap.attach(ref, { sameThread: true }));
      if (joined !== undefined) {
        session.join(joined);
        heap = joined;
      }
    }
    const report = session.ask("verify", () => this.verify(heap));
    return report !== undefined && !report.ok;
  }

  /** The allocator writes no payload but what it zeroes. */
  private checkContents({ world, strict }: Session): void {
    if (!strict && this.frozen.layout.zeroOnFree) return;
    const bytes = new Uint8Array(this.frozen.buffer);
    const object = world.live.firstOverwritten(bytes);
    if (object !== undefined)
      throw new Violation("overwrite", `the live object at ${object.offset} was written to`);
  }

  /** Ends what the case began; also after a case that was cut off. */
  close(): void {
    for (const heap of this.opened) if (!heap._a.detached) closeHeap(heap);
    this.opened = [];
  }
}

function runScript(session: Session, script: number): void {
  if (script === BRIEF) runBriefly(session);
  else runContinuation(session, script);
}
