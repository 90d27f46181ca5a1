/** What is ranked at the moment, and the keys that change it. */
import type { Key } from "../screen/index.js";
import { EPOCH_METRICS } from "./epochs.js";
import {
  CLASS_CHOICES,
  classMetric,
  DEFAULT_METRIC,
  epochMetric,
  type Kind,
  RATE_CHOICES,
} from "./metrics.js";
import type { Order } from "./ranking.js";

export const MAX_ROWS = 1000;

export const KEYS_HELP: readonly (readonly [keys: string, what: string])[] = [
  ["c  e  Tab", "size classes, epochs, the other of them"],
  ["<  >  or left, right", "rank by the metric before, the next one"],
  ["r", "largest or smallest first"],
  ["+  -  or up, down", "more or fewer rows"],
  ["space", "pause"],
  ["h  ?", "this help"],
  ["q  Ctrl-C", "quit"],
];

export interface Settings {
  readonly kind: Kind;
  /** Checked; undefined: the kind's default. */
  readonly by: string | undefined;
  readonly n: number;
  readonly ascending: boolean;
}

export class Control {
  paused = false;
  help = false;
  #kind: Kind;
  #n: number;
  #ascending: boolean;
  readonly #choices: Readonly<Record<Kind, readonly string[]>>;
  /** Which of the choices, by kind: whoever switches there and back finds things unchanged. */
  readonly #chosen: Record<Kind, number>;

  constructor({ kind, by, n, ascending }: Settings) {
    this.#kind = kind;
    this.#n = n;
    this.#ascending = ascending;
    const name = nameOf(kind, by ?? DEFAULT_METRIC[kind]);
    const known = { classes: [...CLASS_CHOICES, ...RATE_CHOICES], epochs: [...EPOCH_METRICS] as string[] };
    if (!known[kind].includes(name)) known[kind].unshift(name);
    this.#choices = known;
    this.#chosen = { classes: known.classes.indexOf(DEFAULT_METRIC.classes), epochs: 0 };
    this.#chosen[kind] = known[kind].indexOf(name);
  }

  get order(): Order {
    const [n, ascending] = [this.#n, this.#ascending];
    const name = this.#choices[this.#kind][this.#chosen[this.#kind]] ?? DEFAULT_METRIC[this.#kind];
    if (this.#kind === "classes") return { kind: "classes", by: classMetric(name), n, ascending };
    return { kind: "epochs", by: epochMetric(name), n, ascending };
  }

  /** True when the key means something. */
  press(key: Key): boolean {
    const action = ACTIONS.get(key);
    if (action === undefined) return false;
    action(this);
    return true;
  }

  switchTo(kind: Kind): void {
    this.#kind = kind;
  }

  switchKind(): void {
    this.#kind = this.#kind === "classes" ? "epochs" : "classes";
  }

  /** Metrics form a ring. */
  step(by: 1 | -1): void {
    const count = this.#choices[this.#kind].length;
    this.#chosen[this.#kind] = (this.#chosen[this.#kind] + by + count) % count;
  }

  resize(by: 1 | -1): void {
    this.#n = Math.min(MAX_ROWS, Math.max(1, this.#n + by));
  }

  reverse(): void {
    this.#ascending = !this.#ascending;
  }
}

const nameOf = (kind: Kind, given: string): string =>
  kind === "classes" ? classMetric(given).name : epochMetric(given);

const pause = (control: Control): void => {
  control.paused = !control.paused;
};
const help = (control: Control): void => {
  control.help = !control.help;
};
const previous = (control: Control): void => control.step(-1);
const next = (control: Control): void => control.step(1);
const more = (control: Control): void => control.resize(1);
const fewer = (control: Control): void => control.resize(-1);

const ACTIONS: ReadonlyMap<Key, (control: Control) => void> = new Map(
  Object.entries({
    c: (control) => control.switchTo("classes"),
    e: (control) => control.switchTo("epochs"),
    tab: (control) => control.switchKind(),
    "<": previous,
    left: previous,
    ">": next,
    right: next,
    "+": more,
    "=": more,
    up: more,
    "-": fewer,
    down: fewer,
    r: (control) => control.reverse(),
    " ": pause,
    p: pause,
    h: help,
    "?": help,
  }),
);
