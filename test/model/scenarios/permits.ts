/** The limit of a pool that threads share: taking, giving, waiting, permits that travel, and deaths. */
import { give, receive, send, take, takeWaiting } from "../explorer/permits-ops.js";
import { after, sitOn } from "../explorer/words-ops.js";
import type { WordScenario } from "../explorer/words-world.js";

export const PERMITS: readonly WordScenario[] = [
  {
    on: "words",
    name: "permit-take-give",
    about: "two take the only permit in turn",
    permits: [0],
    scripts: [
      [take, give(), take],
      [take, give(), take],
    ],
  },
  {
    on: "words",
    name: "permit-three",
    about: "three want two permits; giving and sending what is not held does nothing",
    permits: [0, 0],
    scripts: [
      [take, take, give(1)],
      [take, send("a", 0), give()],
      [give(0), take],
    ],
  },
  {
    on: "words",
    name: "permit-wait",
    about: "announcing, looking once more and sleeping, against giving and calling",
    core: true,
    permits: [0],
    scripts: [
      [takeWaiting, give(), takeWaiting],
      [takeWaiting, give(), takeWaiting, give()],
    ],
  },
  {
    on: "words",
    name: "permit-wait-three",
    about: "three wait for the only permit, one after the other",
    permits: [0],
    scripts: [
      [takeWaiting, give()],
      [takeWaiting, give()],
      [takeWaiting, give()],
    ],
  },
  {
    on: "words",
    name: "permit-two-given",
    about: "two permits are given back while two wait",
    permits: [1, 1],
    scripts: [[give(), give()], [takeWaiting], [takeWaiting]],
  },
  {
    on: "words",
    name: "permit-sent",
    about: "a permit travels; others wait for one, and its receiver gives it back",
    permits: [1],
    scripts: [[send("a"), takeWaiting], [receive("a", 1), give()], [take]],
  },
  {
    on: "words",
    name: "permit-adopted-twice",
    about: "two have the message of one journey, one of them when the next journey has begun",
    permits: [1],
    scripts: [
      [send("a"), takeWaiting, send("b")],
      [receive("a", 1), give()],
      [receive("a", 1), give(), receive("b", 1), give()],
    ],
  },
  {
    on: "words",
    name: "permit-holder-dies",
    about: "the holder of both permits dies anywhere while two wait",
    permits: [1, 1],
    killable: [1],
    scripts: [[give(), take], [takeWaiting, give()], [takeWaiting]],
  },
  {
    on: "words",
    name: "permit-giver-dies",
    about: "whoever gives the only permit back dies before it has called",
    permits: [1],
    killable: [1],
    scripts: [[give()], [takeWaiting, give()], [takeWaiting]],
  },
  {
    on: "words",
    name: "permit-taker-dies",
    about: "whoever takes permits from the dead dies too, before the third is told",
    permits: [1, 1],
    killable: [1, 2],
    kills: 2,
    scripts: [[give()], [take, give()], [takeWaiting]],
  },
  {
    on: "words",
    name: "permit-sender-dies",
    about: "the sender dies anywhere: its permit is received or taken from the dead, never both",
    permits: [1],
    killable: [1],
    scripts: [[send("a")], [receive("a", 1), give()], [takeWaiting, give()]],
  },
  {
    on: "words",
    name: "permit-receiver-dies",
    about: "the first receiver dies, the second has the same message",
    permits: [1],
    killable: [2],
    scripts: [
      [send("a"), takeWaiting],
      [receive("a", 1), give()],
      [receive("a", 1), give()],
    ],
  },
  {
    on: "words",
    name: "permit-successor",
    about: "the sender dies; its seat's next holder takes the permit that another receives",
    permits: [1],
    killable: [1],
    scripts: [[send("a")], [sitOn(1), take, send("b")], [receive("a", 1), after(1, take), give()]],
  },
];
