/**
 * Page releasers of logical workers, and what is known of pages: who releases which, and where was written since.
 *
 * A release takes time: it has a beginning and an end, and other workers may go on, or its own one die, in between. It
 * leaves zeros. Invariants of docs/testing.md:
 *
 * R1  pages are released whole, within slabs without a live object; contents stay
 * R2  from beginning to end the releaser holds the slabs, and nobody else changes their tags
 * R3  no two releases overlap, and none is of slabs known to have no pages
 * R4  RELEASING comes from FREE and goes to FREE, by its holder's hand, or that of whoever reaps it
 * R5  a resident bit is changed only by who holds the slab, on before its payload is written to, off after a release
 * R6  at rest no slab is RELEASING, and giving everything back leaves no slab that counts as resident
 * R7  reports and counters say what was released
 */
import {
  C_MADVISE_BYTES,
  C_MADVISE_CALLS,
  C_MADVISE_FAILURES,
} from "../../../src/allocator/counters/fields.js";
import type { Attachment } from "../../../src/allocator/memory/attachment.js";
import { alignUp } from "../../../src/allocator/memory/bits.js";
import { binAt, recordAt, SLAB_TAG } from "../../../src/allocator/memory/layout.js";
import {
  type ReleaseConfig,
  type ReleaseRules,
  releaseRules,
} from "../../../src/allocator/memory/release-config.js";
import type { PageReleaser } from "../../../src/allocator/types.js";
import { isResident } from "../../../src/allocator/words/resident-map.js";
import {
  describeTag,
  TAG_FREE,
  TAG_ORPHANED,
  TAG_RELEASING,
  TAG_TAIL,
  tagOwner,
  tagState,
  tailHead,
} from "../../../src/allocator/words/slab-tag.js";
import type { Machine } from "./machine.js";
import type { Oracle } from "./oracle.js";
import type { LogicalWorker, Routine } from "./worker.js";

export interface PagesOptions {
  /** FREE slabs that a close leaves as they are; default 0. */
  readonly reserveSlabs?: number;
  readonly pageBytes?: number;
  /** Which of a worker's calls, counted from 1, the system refuses. */
  readonly refuses?: (call: number) => boolean;
  /** It refuses by an error. */
  readonly throws?: boolean;
  /** The system wants to know when released pages are used again. */
  readonly books?: boolean;
}

interface Range {
  readonly at: number;
  readonly bytes: number;
}

/** What releasers did. */
export interface Releases {
  readonly bytes: number;
  readonly calls: number;
  readonly refused: number;
}

/** Whoever takes no part in the runs: the setup, and the end. */
const NOBODY = -1;

export class Pages {
  private readonly machine: Machine;
  private readonly oracle: Oracle;
  private readonly janitor: Attachment;
  private readonly options: PagesOptions | undefined;
  private readonly rules = new Map<Attachment, ReleaseRules>();
  /** Slabs written to since their pages were released, and those released and not announced as used again. */
  private readonly dirty: Uint8Array;
  private readonly gone: Uint8Array;
  private dirtyAtStart: Uint8Array;
  private goneAtStart: Uint8Array;
  /** Releases under way, by worker. */
  private readonly active = new Map<number, Range>();
  private readonly done = new Map<number, Releases>();
  private doneAtStart: readonly (readonly [number, Releases])[] = [];

  constructor(machine: Machine, oracle: Oracle, janitor: Attachment, options: PagesOptions | undefined) {
    this.machine = machine;
    this.oracle = oracle;
    this.janitor = janitor;
    this.options = options;
    const { slabCount } = janitor.layout;
    this.dirty = new Uint8Array(slabCount);
    this.gone = new Uint8Array(slabCount);
    this.dirtyAtStart = this.dirty;
    this.goneAtStart = this.gone;
  }

  /** As it is now is how every run begins. */
  save(): void {
    this.dirtyAtStart = this.dirty.slice();
    this.goneAtStart = this.gone.slice();
    this.doneAtStart = [...this.done];
  }

  restore(): void {
    this.dirty.set(this.dirtyAtStart);
    this.gone.set(this.goneAtStart);
    this.active.clear();
    this.done.clear();
    for (const [who, releases] of this.doneAtStart) this.done.set(who, releases);
  }

  // -- releasers -----------------------------------------------------------------------------------------

  /** What the worker takes its seat with. */
  configOf(worker: LogicalWorker | undefined): ReleaseConfig | undefined {
    const { options } = this;
    if (options === undefined) return undefined;
    const releaser: PageReleaser = {
      pageBytes: options.pageBytes ?? 4096,
      release: (_, at, bytes) => {
        // The transformed sources get something to run, whatever the type says.
        if (worker !== undefined && this.machine.running)
          return this.release(worker, { at, bytes }) as unknown as number;
        const { bytes: before, calls, refused } = this.released(NOBODY);
        this.done.set(NOBODY, { bytes: before, calls: calls + 1, refused });
        this.begin(NOBODY, { at, bytes });
        return this.end(NOBODY, { at, bytes });
      },
      ...(options.books === true ? { reuse: (_, at, bytes) => this.announced({ at, bytes }) } : {}),
    };
    const reserveBytes = (options.reserveSlabs ?? 0) * this.janitor.layout.slabSize;
    return { releaser, pageBytes: releaser.pageBytes ?? 4096, onClose: true, reserveBytes, decayMs: 0 };
  }

  /** The attachment has no releaser any more ... */
  strip(a: Attachment): void {
    if (!this.rules.has(a)) this.rules.set(a, a.rules);
    Object.assign(a, { rules: { ...a.rules, releaser: undefined } });
  }

  /** ... and gets it back. */
  equip(a: Attachment): void {
    const config = this.configOf(undefined);
    if (a === this.janitor && config !== undefined) this.rules.set(a, releaseRules(config, a.layout));
    Object.assign(a, { rules: this.rules.get(a) ?? a.rules });
  }

  private *release(worker: LogicalWorker, range: Range): Routine {
    const { bytes, calls, refused } = this.released(worker.index);
    const refuses = this.options?.refuses?.(calls + 1) === true;
    this.done.set(worker.index, { bytes, calls: calls + 1, refused: refused + (refuses ? 1 : 0) });
    try {
      this.begin(worker.index, range);
      if (this.machine.boundary()) yield;
      if (!refuses) return this.end(worker.index, range);
      this.active.delete(worker.index);
      this.noteRange(worker.index, range);
    } catch (error) {
      // The sources take an error for a refusal.
      this.machine.fail(`release: ${(error as Error).stack ?? String(error)}`);
    }
    if (this.options?.throws === true) throw new Error("refused");
    return -1;
  }

  private begin(who: number, range: Range): void {
    this.check(who, range);
    for (const slab of this.slabsOf(range)) {
      if (!isResident(this.machine.m, this.oracle.layout, slab))
        this.fail(who, `R3: pages of slab ${slab} are released although it has none`);
    }
    this.active.set(who, range);
    this.noteRange(who, range);
  }

  private end(who: number, range: Range): number {
    this.check(who, range);
    this.active.delete(who);
    this.noteRange(who, range);
    const { layout, u8 } = this.janitor;
    u8.fill(0, range.at, range.at + range.bytes);
    for (const slab of this.slabsOf(range)) {
      const at = layout.payloadOffset + slab * layout.slabSize;
      if (at < range.at || at + layout.slabSize > range.at + range.bytes) continue;
      this.set(this.dirty, slab, 0);
      this.set(this.gone, slab, 1);
    }
    const { bytes, calls, refused } = this.released(who);
    this.done.set(who, { bytes: bytes + range.bytes, calls, refused });
    return range.bytes;
  }

  private check(who: number, range: Range): void {
    const { layout, ghost } = this.oracle;
    const pageBytes = this.options?.pageBytes ?? 4096;
    const end = layout.payloadOffset + layout.slabCount * layout.slabSize;
    const { at, bytes } = range;
    const inside = bytes > 0 && at >= layout.payloadOffset && at + bytes <= end;
    if (!inside || at % pageBytes !== 0 || bytes % pageBytes !== 0)
      this.fail(who, `R1: ${bytes} bytes at ${at} are not whole pages of the payload`);
    for (const slab of this.slabsOf(range)) {
      const tag = this.machine.m[recordAt(slab) + SLAB_TAG] as number;
      if (tagState(tag) !== TAG_RELEASING || !this.sits(who, tagOwner(tag)))
        this.fail(who, `R2: pages of slab ${slab} are released while it is ${describeTag(tag)}`);
      for (const held of ghost.held.values()) {
        if (held.frees === 0 && held.slab <= slab && slab < held.slab + held.slabs)
          this.fail(who, `R1: pages under ${this.oracle.name(held.handle)}, which is live, are released`);
      }
    }
    for (const [other, { at: from, bytes: length }] of this.active) {
      if (other !== who && from < at + bytes && at < from + length)
        this.fail(who, `R3: pages are released that worker ${other + 1} is releasing`);
    }
  }

  private announced(range: Range): void {
    for (const slab of this.slabsOf(range)) {
      if (this.gone[slab] === 0) this.oracle.fail(`R7: slab ${slab} is announced, but was not released`);
      this.set(this.gone, slab, 0);
    }
  }

  // -- what others do ------------------------------------------------------------------------------------

  /** A worker writes to the payload of slabs that it was given. */
  written(first: number, slabs: number): void {
    for (let slab = first; slab < first + slabs; slab++) {
      if (!isResident(this.machine.m, this.oracle.layout, slab))
        this.oracle.fail(`R5: slab ${slab} is written to, but the resident map does not show it`);
      if (this.options?.books === true && this.gone[slab] === 1 && this.machine.kills === 0)
        this.oracle.fail(`R7: slab ${slab} is used again, and the system was not told`);
      if (this.isActive(slab))
        this.oracle.fail(`R1: slab ${slab} is written to while its pages are released`);
      this.set(this.dirty, slab, 1);
    }
  }

  /** Its system call is over, one way or the other. */
  died(worker: LogicalWorker): void {
    const range = this.active.get(worker.index);
    if (range === undefined) return;
    this.active.delete(worker.index);
    this.noteRange(worker.index, range);
  }

  tagChanged(slab: number, before: number, now: number, worker: LogicalWorker, step: string): void {
    if (this.isActive(slab))
      this.oracle.fail(`R2: slab ${slab} changed while its pages are released: ${step}`);
    if (tagState(now) === TAG_RELEASING && (before !== TAG_FREE || !this.oracle.sits(worker, tagOwner(now))))
      this.oracle.fail(`R4: slab ${slab} may not be taken for releasing its pages: ${step}`);
    if (tagState(before) !== TAG_RELEASING) return;
    const holder = tagOwner(before);
    if (now !== TAG_FREE || !(this.oracle.sits(worker, holder) || this.oracle.isDead(holder)))
      this.oracle.fail(`R4: slab ${slab} was taken from whoever releases its pages: ${step}`);
  }

  /** Word `index` of the resident map. */
  bitsChanged(index: number, before: number, now: number, worker: LogicalWorker): void {
    for (let bit = 0; bit < 32; bit++) {
      if ((((before ^ now) >>> bit) & 1) === 0) continue;
      const slab = index * 32 + bit;
      const what = `resident bit of slab ${slab} went ${((now >>> bit) & 1) === 1 ? "on" : "off"}`;
      if (!this.holds(worker, slab))
        this.oracle.fail(`R5: ${what} by worker ${worker.index + 1}, which does not hold it`);
      if (((now >>> bit) & 1) === 0 && this.dirty[slab] === 1)
        this.oracle.fail(`R5: ${what}, but it was written to since its pages were released`);
    }
  }

  private holds(worker: LogicalWorker, slab: number): boolean {
    const { m } = this.machine;
    let tag = m[recordAt(slab) + SLAB_TAG] as number;
    if (tagState(tag) === TAG_TAIL) tag = m[recordAt(tailHead(tag)) + SLAB_TAG] as number;
    return tag !== TAG_FREE && tagState(tag) !== TAG_ORPHANED && this.oracle.sits(worker, tagOwner(tag));
  }

  // -- the end -------------------------------------------------------------------------------------------

  /** What the worker's releaser has done. */
  released(who: number): Releases {
    return this.done.get(who) ?? { bytes: 0, calls: 0, refused: 0 };
  }

  /** Nothing is forgotten and nobody releases. */
  atRest(): string | undefined {
    const { m } = this.machine;
    const { layout } = this.oracle;
    for (let slab = 0; slab < layout.slabCount; slab++) {
      const tag = m[recordAt(slab) + SLAB_TAG] as number;
      if (tagState(tag) === TAG_RELEASING) return `R6: slab ${slab} is left ${describeTag(tag)}`;
      if (this.dirty[slab] === 1 && !isResident(m, layout, slab))
        return `R6: slab ${slab} was written to, but the resident map does not show it`;
    }
    return undefined;
  }

  /** The counters of all seats say what was released. Where nobody died. */
  checkCounters(read: (m: Int32Array, cell: number) => number): string | undefined {
    const { layout } = this.oracle;
    const sum = (cell: number): number => {
      let total = 0;
      for (let seat = 1; seat <= layout.maxWorkers; seat++)
        for (let c = 0; c <= layout.classCount; c++)
          total += read(this.machine.m, binAt(layout, seat, c) + cell);
      return total;
    };
    const releases = [...this.done.values()];
    const expected = (of: (one: Releases) => number): number =>
      releases.reduce((total, one) => total + of(one), 0);
    for (const [what, cell, count] of [
      ["bytes", C_MADVISE_BYTES, expected(({ bytes }) => bytes)],
      ["calls", C_MADVISE_CALLS, expected(({ calls }) => calls)],
      ["failures", C_MADVISE_FAILURES, expected(({ refused }) => refused)],
    ] as const) {
      if (sum(cell) !== count) return `R7: ${count} ${what} of page releases, but ${sum(cell)} are counted`;
    }
    return undefined;
  }

  /** Every slab is FREE and everything was trimmed: no page is left all of whose slabs count as resident. */
  checkTrimmed(): string | undefined {
    const { m } = this.machine;
    const { layout } = this.oracle;
    const pageBytes = this.options?.pageBytes ?? 4096;
    const end = layout.payloadOffset + layout.slabCount * layout.slabSize;
    for (let at = alignUp(layout.payloadOffset, pageBytes); at + pageBytes <= end; at += pageBytes) {
      const slabs = this.slabsOf({ at, bytes: pageBytes });
      if (slabs.every((slab) => isResident(m, layout, slab)))
        return `R6: everything was trimmed, but slab ${slabs.join(", ")} still has pages`;
    }
    return this.atRest();
  }

  private isActive(slab: number): boolean {
    for (const range of this.active.values()) if (this.slabsOf(range).includes(slab)) return true;
    return false;
  }

  private slabsOf({ at, bytes }: Range): number[] {
    const { payloadOffset, slabSize, slabCount } = this.oracle.layout;
    const first = Math.max(0, Math.floor((at - payloadOffset) / slabSize));
    const end = Math.min(slabCount, Math.ceil((at + bytes - payloadOffset) / slabSize));
    return Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i);
  }

  private sits(who: number, seat: number): boolean {
    if (who === NOBODY) return !this.machine.running;
    return this.oracle.ghost.sitters.get(seat) === who;
  }

  private set(where: Uint8Array, slab: number, value: number): void {
    if (where[slab] === value) return;
    where[slab] = value;
    this.machine.noteGhost((where === this.dirty ? 0x0ba60000 : 0x0ba70000) + slab);
  }

  private noteRange(who: number, { at, bytes }: Range): void {
    this.machine.noteGhost(0x0ba80000 + who * 4096 + ((at / 4096) % 64) * 64 + bytes / 4096);
  }

  private fail(who: number, message: string): void {
    this.oracle.fail(`${message}: by worker ${who + 1}`);
  }
}
