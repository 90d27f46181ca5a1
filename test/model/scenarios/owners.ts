/** Owner words: who holds a thing, also when somebody dies. */
import {
  after,
  claim,
  freeDead,
  offer,
  release,
  sitOn,
  takeFromDead,
  transfer,
} from "../explorer/words-ops.js";
import type { WordScenario } from "../explorer/words-world.js";

export const OWNERS: readonly WordScenario[] = [
  {
    on: "words",
    name: "owner-claim-release",
    about: "two claim the only thing, give it back, claim again",
    things: 1,
    scripts: [
      [claim(), release(0), claim()],
      [claim(), release(0), claim()],
    ],
  },
  {
    on: "words",
    name: "owner-round",
    about: "two things, claimed from different ends; a release of what is not held does nothing",
    things: 2,
    scripts: [
      [claim(), release(1), claim(1)],
      [claim(1), release(0), claim()],
    ],
  },
  {
    on: "words",
    name: "owner-transfer",
    about: "one hands a thing over, and a third wants it too",
    things: 1,
    scripts: [
      [claim(), offer(0, 2), release(0)],
      [transfer(0, 1), release(0)],
      [claim(), release(0)],
    ],
  },
  {
    on: "words",
    name: "owner-dies",
    about: "two take the thing of one that dies anywhere",
    things: 1,
    killable: [1],
    scripts: [
      [claim(), release(0), claim()],
      [takeFromDead, release(0)],
      [takeFromDead, claim(), release(0)],
    ],
  },
  {
    on: "words",
    name: "owner-dies-freed",
    about: "what the dead held is freed and claimed at the same time",
    things: 2,
    killable: [1],
    scripts: [
      [claim(), claim()],
      [freeDead, claim()],
      [takeFromDead, claim()],
    ],
  },
  {
    on: "words",
    name: "owner-successor",
    about: "the seat of the dead has its next holder, who claims what another takes for the dead one's",
    things: 1,
    killable: [1],
    scripts: [[claim()], [sitOn(1), takeFromDead, claim()], [takeFromDead, release(0)]],
  },
  {
    on: "words",
    name: "owner-taker-dies",
    about: "whoever takes from the dead dies too",
    things: 1,
    killable: [1, 2],
    kills: 2,
    scripts: [[claim()], [after(1, takeFromDead)], [after(2, takeFromDead), claim()]],
  },
];
