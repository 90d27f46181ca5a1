/** Domains and references: the last one out closes, a member is never shut in, and a death is nobody's loss. */
import {
  advance,
  alloc,
  detach,
  enter,
  exit,
  label,
  readLabel,
  reap,
  release,
  retain,
  sync,
} from "../explorer/ops.js";
import type { Scenario } from "../explorer/setup.js";

export const DOMAINS: readonly Scenario[] = [
  {
    name: "exit-two",
    about: "two members come and go",
    core: true,
    scripts: [
      [enter("d"), exit("d")],
      [enter("d"), exit("d")],
    ],
  },
  {
    name: "exit-three",
    about: "three members come and go",
    core: true,
    scripts: [
      [enter("d"), exit("d")],
      [enter("d"), exit("d")],
      [enter("d"), exit("d")],
    ],
  },
  {
    name: "exit-nested",
    about: "a member two levels deep, beside another",
    scripts: [
      [enter("d"), enter("e"), exit("e"), exit("d")],
      [enter("d"), alloc("x"), exit("d")],
    ],
  },
  {
    name: "exit-wrap",
    about: "members of an era and of the next one in its ring slot",
    scripts: [
      [enter("d"), exit("d")],
      [advance, advance, enter("e"), exit("e")],
    ],
  },
  {
    name: "exit-late",
    about: "a member that leaves after the ring went on",
    setup(s) {
      s.alloc(1, "x");
    },
    scripts: [
      [enter("d"), exit("d"), alloc("y")],
      [advance, advance],
    ],
  },
  {
    name: "retain-exit",
    about: "a reference is taken while the last member leaves",
    core: true,
    scripts: [
      [enter("d"), exit("d")],
      [retain(0), release(0)],
    ],
  },
  {
    name: "retain-two",
    about: "two references and a member",
    scripts: [
      [enter("d"), exit("d")],
      [retain(0), release(0)],
      [retain(0), release(0)],
    ],
  },
  {
    name: "exit-detach",
    about: "a member gives its seat back while another leaves",
    scripts: [
      [enter("d"), detach],
      [enter("d"), exit("d")],
    ],
  },
  {
    name: "exit-death",
    about: "a member dies while others come and go",
    killable: [1],
    scripts: [[enter("d"), exit("d")], [enter("d"), exit("d")], [reap(1)]],
  },
  {
    name: "enter-death",
    about: "a member dies on its way in or out, and its reaper may be the last one out",
    core: true,
    killable: [1],
    scripts: [
      [enter("d"), alloc("x"), exit("d")],
      [enter("d"), reap(1), exit("d")],
    ],
  },
  {
    name: "label-two",
    about: "two workers label one epoch, a third reads",
    scripts: [[label(0, "aaaaaaa")], [label(0, "bbbbbbb")], [readLabel(2), readLabel(2)]],
  },
  {
    name: "label-wrap",
    about: "labels of two eras in one ring slot",
    scripts: [
      [label(0, "aaaaaaa"), advance, advance, label(0, "ccccccc")],
      [readLabel(2), readLabel(4), sync],
    ],
  },
  {
    name: "label-death",
    about: "a worker dies while it writes a label, another writes one after it was reaped",
    killable: [1],
    scripts: [
      [label(0, "aaaaaaa"), label(0, "bbbbbbb")],
      [reap(1), label(0, "ccccccc"), readLabel(2)],
    ],
  },
];
