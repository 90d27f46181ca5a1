/** Domains of one thread that are left in any order: a membership ends with its last level, and with no other. */
import { REC_BASE } from "../../../src/allocator/memory/layout.js";
import { recEra } from "../../../src/allocator/words/epoch-word.js";
import { advance, alloc, enter, exit, type Op, reap, release, retain } from "../explorer/ops.js";
import type { Scenario } from "../explorer/setup.js";
import type { World } from "../explorer/world.js";

const join = (name: string, auto = true): Op => enter(name, { unordered: true, auto });

/** What the heap counts in the eras of its ring is who is inside. */
function check({ m, oracle, machine, janitor }: World): void {
  for (let ring = 0; ring < 2; ring++) {
    const era = recEra(m[REC_BASE + ring] as number);
    const inside = machine.workers.flatMap(({ dead, index }) => (dead ? [] : oracle.ghost.inside[index]));
    const expected = inside.filter((other) => other === era).length + (oracle.ghost.retains.get(era) ?? 0);
    const counted = janitor.refcount({ id: ring as never, era });
    if (counted !== expected)
      machine.fail(`I10: ${expected} are inside era ${era}, but ${counted} are counted`);
  }
}

export const UNORDERED: readonly Scenario[] = [
  {
    name: "unordered-levels",
    about: "two of one era left first in first out, beside another member",
    scripts: [
      [join("d"), join("e"), exit("d"), alloc("x"), exit("e")],
      [join("f"), exit("f")],
    ],
    check,
  },
  {
    name: "unordered-mixed",
    about: "around a nested one and inside it; the thread stays in a third",
    scripts: [
      [join("d"), enter("e"), join("f", false), exit("d"), exit("e")],
      [enter("g"), exit("g")],
    ],
    check,
  },
  {
    name: "unordered-two-eras",
    about: "an era and the next one, the older left first; others come and go",
    scripts: [
      [join("d"), advance, join("e"), exit("d"), alloc("x"), exit("e")],
      [join("f"), exit("f")],
    ],
    check,
  },
  {
    name: "unordered-shared-slot",
    about: "an era and the next one in its ring slot, the older left while inside the newer",
    scripts: [
      [join("d"), advance, advance, join("e"), exit("d"), alloc("x"), exit("e")],
      [join("f"), exit("f")],
    ],
    check,
  },
  {
    name: "unordered-slot-levels",
    about: "two levels of each era in a ring slot, left alternately",
    scripts: [
      [
        join("a"),
        join("b"),
        advance,
        advance,
        join("c"),
        exit("a"),
        join("d"),
        exit("c"),
        exit("b"),
        exit("d"),
      ],
      [join("f"), exit("f")],
    ],
    check,
  },
  {
    name: "unordered-moved-on",
    about: "another thread opens epochs meanwhile",
    scripts: [
      [join("d"), join("e"), exit("d"), exit("e")],
      [advance, advance, join("f"), exit("f")],
    ],
    check,
  },
  {
    name: "unordered-retain",
    about: "a reference is taken while the last level is left",
    scripts: [
      [join("d"), join("e"), exit("d"), exit("e")],
      [retain(0), release(0)],
    ],
    check,
  },
  {
    name: "unordered-death",
    about: "a member of several levels dies anywhere, and another is the last one out or its reaper",
    killable: [1],
    scripts: [
      [join("d"), join("e"), exit("d"), exit("e")],
      [join("f"), reap(1), exit("f")],
    ],
    check,
  },
  {
    name: "unordered-slot-death",
    about: "a member of two eras of a ring slot dies anywhere",
    killable: [1],
    scripts: [
      [join("d"), advance, advance, join("e"), exit("d"), exit("e")],
      [join("f"), reap(1), exit("f")],
    ],
    check,
  },
];
