/** Rotators of several threads on one heap: epochs that end with their last domain, by whoever is the last to see it. */
import { ERA } from "../../../src/allocator/memory/layout.js";
import { closeHalf, keptAlloc, keptEnter, keptLeave, tick, turn } from "../explorer/keeper-ops.js";
import { look, reap, signal, wait } from "../explorer/ops.js";
import type { Scenario } from "../explorer/setup.js";
import type { World } from "../explorer/world.js";

/** Nobody is left to come: what is over and empty has been ended. */
function check(world: World): void {
  const { m, oracle, machine } = world;
  for (let era = 2; era < (m[ERA] as number); era++) {
    if (oracle.isReferenced(era) || oracle.ghost.discarded.has(era)) continue;
    machine.fail(`K3: era ${era} is over and everybody has left it, but nobody discarded it`);
  }
}

export const KEEPERS: readonly Scenario[] = [
  {
    name: "keeper-leave-turn",
    about: "the only domain is left while another thread moves on",
    core: true,
    scripts: [[keptEnter("d"), keptLeave("d")], [turn]],
    check,
  },
  {
    name: "keeper-alloc-turn",
    about: "a domain allocates while another thread moves on, and has its object until it is left",
    scripts: [
      [keptEnter("d"), keptAlloc("x", "d"), look("x"), keptLeave("d")],
      [turn, turn],
    ],
    check,
  },
  {
    name: "keeper-two-leave",
    about: "two domains of different threads are left while a third moves on",
    scripts: [[keptEnter("d"), keptLeave("d")], [keptEnter("e"), keptLeave("e")], [turn]],
    check,
  },
  {
    name: "keeper-two-turn",
    about: "two threads find at once that it is time, while a domain is inside",
    scripts: [[keptEnter("d"), wait("z"), keptLeave("d")], [turn], [turn, signal("z")]],
    check,
  },
  {
    name: "keeper-late-enter",
    about: "a domain enters an era that is over, because its closer died before it got to the record",
    scripts: [
      [keptEnter("d"), wait("z"), keptLeave("d")],
      [closeHalf, tick, signal("z")],
    ],
    check,
  },
  {
    name: "keeper-late-enter-turn",
    about:
      "a domain enters an era that is over and open in its record, while another thread takes its ring slot",
    core: true,
    scripts: [
      [keptEnter("d"), wait("z"), keptLeave("d")],
      [closeHalf, turn, signal("z")],
    ],
    check,
  },
  {
    name: "keeper-own-turn",
    about: "a thread moves on with domains of its own in two eras, left in the order of entering",
    scripts: [
      [keptEnter("d"), turn, keptEnter("e"), keptLeave("d"), turn, keptLeave("e")],
      [keptEnter("f"), keptLeave("f")],
    ],
    check,
  },
  {
    name: "keeper-death",
    about:
      "a thread dies anywhere with a domain inside or while it moves on; another one's look ends what it left",
    killable: [1],
    scripts: [
      [keptEnter("d"), turn, keptLeave("d")],
      [keptEnter("e"), keptLeave("e"), reap(1), tick],
    ],
    check,
  },
];
