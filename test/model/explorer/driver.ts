/** The three ways to decide: depth first through everything, at random from a seed, and as written down. */

import { randomFrom } from "../../random.js";
import { type Driver, PICK_GO_ON, PICK_KILL, PICK_SWITCH } from "./decisions.js";
import { mix1, mix2, VisitedStates } from "./hash.js";
import type { Machine } from "./machine.js";

/** One decision that was not the first option: where, and what. Enough to repeat a run. */
export interface Decision {
  readonly key: number;
  readonly pick: number;
}

export function formatSchedule(decisions: readonly Decision[]): string {
  return decisions.map(({ key, pick }) => `${key}:${pick}`).join(",");
}

export function parseSchedule(text: string): Decision[] {
  if (text === "") return [];
  return text.split(",").map((part) => {
    const [key, pick] = part.split(":").map(Number);
    if (key === undefined || pick === undefined || !Number.isFinite(key) || !Number.isInteger(pick)) {
      throw new Error(`A schedule is a list of place:decision; got ${JSON.stringify(part)}.`);
    }
    return { key, pick };
  });
}

/**
 * Every schedule within the limits, one after the other. A run ends early where it reaches a state an earlier run has
 * been in with at least the same budget: what follows from there has been looked at.
 */
export class DepthFirst implements Driver {
  readonly visited = new VisitedStates();
  private readonly chosen: number[] = [];
  private readonly counts: number[] = [];
  private readonly keys: number[] = [];
  private readonly picks: number[] = [];
  private depth = 0;

  knows(): boolean {
    return false;
  }

  isNew(machine: Machine): boolean {
    if (this.depth < this.chosen.length) return true;
    const [h1, h2] = machine.stateHash();
    return this.visited.enter(h1, h2, machine.limits.preemptions - machine.preemptions);
  }

  pick(count: number, options: Int32Array, key: number): number {
    const { depth } = this;
    this.depth++;
    if (depth === this.chosen.length) {
      this.chosen.push(0);
      this.counts.push(count);
      this.keys.push(key);
      this.picks.push(options[0] as number);
      return 0;
    }
    if (this.counts[depth] !== count || this.keys[depth] !== key) {
      throw new Error(
        `A run did not repeat at ${key}: the sources depend on something the machine does not control.`,
      );
    }
    const index = this.chosen[depth] as number;
    this.picks[depth] = options[index] as number;
    return index;
  }

  /** Goes to the next schedule; false when there is none. */
  advance(): boolean {
    this.depth = 0;
    while (this.chosen.length > 0) {
      const last = this.chosen.length - 1;
      const next = (this.chosen[last] as number) + 1;
      if (next < (this.counts[last] as number)) {
        this.chosen[last] = next;
        return true;
      }
      this.chosen.pop();
      this.counts.pop();
      this.keys.pop();
      this.picks.pop();
    }
    return false;
  }

  decisions(): Decision[] {
    return this.keys.flatMap((key, i) =>
      this.chosen[i] === 0 ? [] : [{ key, pick: this.picks[i] as number }],
    );
  }
}

/** A random schedule per seed, with a few interruptions spread over the whole run. */
export class AtRandom implements Driver {
  private next = randomFrom(1);
  private rate = 0.1;
  private places = 0;
  /** Running mean of the number of places to decide at. */
  private length = 30;
  private readonly made: Decision[] = [];
  h1 = 0;
  h2 = 0;

  start(seed: number): void {
    if (this.places > 0) this.length += (this.places - this.length) / 16;
    this.places = 0;
    this.next = randomFrom(Math.imul(seed + 1, 0x9e3779b1));
    this.rate = (1 + Math.floor(this.next() * 5)) / Math.max(4, this.length);
    this.made.length = 0;
    this.h1 = 0;
    this.h2 = 0;
  }

  knows(): boolean {
    return false;
  }

  isNew(): boolean {
    return true;
  }

  pick(count: number, options: Int32Array, key: number): number {
    const index = this.choose(count, options);
    if (index !== 0) {
      this.made.push({ key, pick: options[index] as number });
      this.h1 = mix1(mix1(this.h1, key * 64), index);
      this.h2 = mix2(mix2(this.h2, key * 64), index);
    }
    return index;
  }

  private choose(count: number, options: Int32Array): number {
    if (options[0] !== PICK_GO_ON) return Math.floor(this.next() * count);
    this.places++;
    if (this.next() >= this.rate) return 0;
    let kills = 1;
    while (kills < count && (options[kills] as number) < PICK_KILL) kills++;
    const switches = kills - 1;
    const kill = kills < count && (switches === 0 || this.next() < 0.4);
    return kill ? kills + Math.floor(this.next() * (count - kills)) : 1 + Math.floor(this.next() * switches);
  }

  decisions(): readonly Decision[] {
    return this.made;
  }
}

/** One schedule again. */
export class Replay implements Driver {
  private readonly picks: ReadonlyMap<number, number>;

  constructor(decisions: readonly Decision[]) {
    this.picks = new Map(decisions.map(({ key, pick }) => [key, pick]));
  }

  knows(key: number): boolean {
    return this.picks.has(key);
  }

  isNew(): boolean {
    return true;
  }

  pick(count: number, options: Int32Array, key: number): number {
    const wanted = this.picks.get(key);
    if (wanted === undefined) return 0;
    const index = options.subarray(0, count).indexOf(wanted);
    if (index < 0) {
      const what =
        wanted >= PICK_SWITCH && wanted < PICK_KILL ? `worker ${wanted} next` : `decision ${wanted}`;
      throw new Error(`The schedule does not fit: at ${key} it wants ${what}, which is not possible there.`);
    }
    return index;
  }
}
