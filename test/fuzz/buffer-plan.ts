/** Which word is damaged how in case number `i` of a run. */
import { BRIEF, type Damage, type DamageTarget } from "./buffer-case.js";
import { DAMAGES, damagedValue } from "./damage-values.js";
import { Dice, mix } from "./dice.js";

/** Scripts of calls per state: few, because each is run on the sound heap first. */
const SCRIPTS = 6;

/** In a sweep these get a few calls only: they are most words, and hardly any call reads them. */
const BRIEF_KINDS: readonly string[] = ["config", "figure", "unused"];

function isBrief({ regions, frozen }: DamageTarget, word: number): boolean {
  const { kind, name } = regions[word];
  return BRIEF_KINDS.includes(kind) || (/^(slot|link)$/.test(name) && frozen.words[word] === 0);
}

/**
 * sweep   every word in turn, `perWord` values each
 * roam    regions at random, then a word in it: a region of one word is as likely as one of thousands
 */
export type PlanKind = "sweep" | "roam";

export interface DamagePlan {
  readonly kind: PlanKind;
  readonly seed: number;
  /** For a sweep. */
  readonly perWord: number;
}

export function casesOf(plan: DamagePlan, target: DamageTarget): number {
  return plan.kind === "sweep" ? target.regions.length * plan.perWord : Number.POSITIVE_INFINITY;
}

export function damageOf(plan: DamagePlan, target: DamageTarget, i: number): Damage {
  const { words } = target.frozen;
  const dice = new Dice(mix(plan.seed, i));
  const word = plan.kind === "sweep" ? Math.floor(i / plan.perWord) : anyWord(target, dice);
  // In a sweep one value is a single bit, the next anything else; one goes on with the old seats, one with a new.
  const turn = plan.kind === "sweep" ? i % plan.perWord : dice.below(2);
  const which = turn % 2 === 0 ? dice.below(32) : 32 + dice.below(DAMAGES - 32);
  const value = damagedValue(words, word, which, dice.bits());
  const attach = plan.kind === "sweep" ? turn % 4 >= 1 && turn % 4 <= 2 : dice.oneIn(2);
  return {
    word,
    // Never the word itself: that is no damage.
    value: value === words[word] ? value ^ (1 << dice.below(32)) : value,
    attach,
    script: plan.kind === "sweep" && isBrief(target, word) ? BRIEF : dice.below(SCRIPTS),
  };
}

/** Twice: all words of each region, and those of them that are in use. */
const wordsByRegion = new WeakMap<DamageTarget, readonly (readonly number[])[]>();

function anyWord(target: DamageTarget, dice: Dice): number {
  let groups = wordsByRegion.get(target);
  if (groups === undefined) {
    const byName = new Map<string, number[]>();
    target.regions.forEach(({ name }, word) => {
      for (const key of target.frozen.words[word] === 0 ? [name] : [name, `${name}, not 0`]) {
        const group = byName.get(key) ?? [];
        group.push(word);
        byName.set(key, group);
      }
    });
    groups = [...byName.values()];
    wordsByRegion.set(target, groups);
  }
  return dice.pick(dice.pick(groups));
}
