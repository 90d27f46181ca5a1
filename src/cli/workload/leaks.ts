/** The objects a worker leaks on purpose: kept until the run ends, known by epoch. */
import type { SlabHeap } from "../../index.js";
import { type LeakedEpoch, type LeakSummary, OLDEST_EPOCHS, type WorkerLeaks } from "./messages.js";
import { ObjectList } from "./object-list.js";
import type { CheckedObjects } from "./objects.js";

interface EpochLeaks {
  readonly id: number;
  readonly since: number;
  objects: number;
  bytes: number;
}

/** Leaked objects of one worker. */
export class Leaks {
  readonly #objects = new ObjectList(1024);
  /** By era, in the order of the first leak. */
  readonly #epochs = new Map<number, EpochLeaks>();

  add(heap: SlabHeap, list: ObjectList, i: number): void {
    const handle = list.handle(i);
    this.#objects.push(handle, list.length(i), list.sequence(i));
    const { id, era } = heap.epochOf(handle);
    let epoch = this.#epochs.get(era);
    if (epoch === undefined) {
      epoch = { id, since: performance.now(), objects: 0, bytes: 0 };
      this.#epochs.set(era, epoch);
    }
    epoch.objects++;
    epoch.bytes += list.length(i);
  }

  /** Leaked objects are nobody's, but nobody may have touched them either. */
  inspect(objects: CheckedObjects): void {
    const list = this.#objects;
    for (let i = 0; i < list.count; i++) {
      objects.inspect(list.handle(i), list.length(i), objects.owner, list.sequence(i));
    }
  }

  summary(label: string): WorkerLeaks {
    const now = performance.now();
    const oldest = [...this.#epochs]
      .sort(([a], [b]) => a - b)
      .slice(0, OLDEST_EPOCHS)
      .map(([era, epoch]) => ({
        epoch_id: epoch.id,
        epoch_era: era,
        age_sec: (now - epoch.since) / 1000,
        label,
        live_objects: epoch.objects,
        bytes: epoch.bytes,
      }));
    const bytes = [...this.#epochs.values()].reduce((sum, epoch) => sum + epoch.bytes, 0);
    return { live_objects: this.#objects.count, bytes, eras: [...this.#epochs.keys()], oldest };
  }
}

/** Leaks of all workers: totals, and the oldest epochs with what all workers left in them. */
export function mergeLeaks(parts: readonly WorkerLeaks[]): LeakSummary {
  const byEra = new Map<number, LeakedEpoch>();
  for (const epoch of parts.flatMap((part) => part.oldest)) {
    const other = byEra.get(epoch.epoch_era);
    byEra.set(epoch.epoch_era, {
      ...epoch,
      age_sec: Math.max(epoch.age_sec, other?.age_sec ?? 0),
      live_objects: epoch.live_objects + (other?.live_objects ?? 0),
      bytes: epoch.bytes + (other?.bytes ?? 0),
    });
  }
  const sum = (value: (part: WorkerLeaks) => number) => parts.reduce((total, part) => total + value(part), 0);
  return {
    live_objects: sum((part) => part.live_objects),
    bytes: sum((part) => part.bytes),
    epochs: new Set(parts.flatMap((part) => part.eras)).size,
    oldest: [...byEra.values()].sort((a, b) => a.epoch_era - b.epoch_era).slice(0, OLDEST_EPOCHS),
  };
}
