/** A program that takes the terminal over and then ends in the way its argument names. */
import { EXIT_FINDING } from "../../../src/cli/command.js";
import { Ending, Screen } from "../../../src/cli/screen/index.js";
import { processStreams } from "../../../src/cli/streams.js";

const ending = new Ending();
const screen = new Screen(processStreams(), ending);
screen.show(({ columns, rows }) => ["taken over", `${columns}x${rows}`]);
const [, , how = "wait"] = process.argv;

// Keeps the process alive; a signal or key may end it.
const waiting = setInterval(() => {}, 1000);
ending.signal.addEventListener("abort", () => {
  clearInterval(waiting);
  screen.close();
  process.exitCode = ending.exitCode;
});

const ENDINGS: Readonly<Record<string, () => void>> = {
  wait: () => {},
  throw: () => {
    throw new Error("thrown on purpose");
  },
  reject: () => void Promise.reject(new Error("rejected on purpose")),
  exit: () => process.exit(EXIT_FINDING),
  close: () => {
    screen.close();
    screen.close();
    ending.end();
  },
};
setTimeout(() => ENDINGS[how]?.(), 50);
