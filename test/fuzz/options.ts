/**
 * Defends: whatever is given for options and other loose arguments, a call works or throws an error of the package that
 * names what is wrong, and a refused call leaves nothing behind: no seat, no timer, no domain, no changed object. Only
 * what the caller's own getters and proxies throw may pass through.
 * Method: values of every sort and right objects with one thing changed, to everything that takes such, beside a busy
 * heap that is looked at again after every call.
 */
import { anyValue, CallersOwnError, nearDocument, nearValue } from "./any-value.js";
import { Dice, mix } from "./dice.js";
import { isKnownOption } from "./known-options.js";
import { OPTION_TARGETS, type OptionTarget } from "./option-targets.js";
import { OptionWorld, TimerCount } from "./option-world.js";
import { errorText, isPackageError, newTally, type Tally, Violation } from "./outcome.js";

/** The heap grows older by what calls do: after so many a new one is made. */
const CALLS_PER_WORLD = 300;

/** Throws {@link Violation}, whose message does not name the seed: the caller knows it. */
export function runOptions(
  seed: number,
  steps: number,
  targets: readonly OptionTarget[] = OPTION_TARGETS,
  onFinding: (target: string, violation: Violation) => void = (target, violation) => {
    throw new Violation(violation.kind, `${target}: ${violation.message}`);
  },
): Tally {
  const dice = new Dice(mix(seed, 3));
  const tally = newTally();
  using timers = new TimerCount();
  let world = new OptionWorld();
  try {
    for (let step = 1; step <= steps; step++) {
      const target = dice.pick(targets);
      tally.cases++;
      let isUsedUp = step % CALLS_PER_WORLD === 0;
      try {
        const outcome = callOnce(dice, world, target, timers);
        tally[outcome]++;
        isUsedUp ||= outcome === "harmless" && target.ends === true;
      } catch (error) {
        if (!(error instanceof Violation)) throw error;
        isUsedUp = true;
        if (isKnownOption(target.name, error)) {
          tally.known++;
        } else {
          tally.violations++;
          onFinding(target.name, error);
        }
      }
      if (!isUsedUp) continue;
      world.close();
      world = new OptionWorld();
    }
    return tally;
  } finally {
    world.close();
  }
}

function callOnce(
  dice: Dice,
  world: OptionWorld,
  target: OptionTarget,
  timers: TimerCount,
): "refused" | "harmless" {
  const { value, wrongKey } = hostileValue(dice, world, target);
  const timersBefore = timers.running;
  let refusal: unknown;
  try {
    target.call(world, value as never);
  } catch (error) {
    checkError(target, error, wrongKey);
    refusal = error;
  }
  if (refusal === undefined && target.ends) return "harmless";
  if (timers.running !== timersBefore) {
    throw new Violation("wrong", `${timers.running - timersBefore} timers more than before`);
  }
  world.check();
  return refusal === undefined ? "harmless" : "refused";
}

function hostileValue(
  dice: Dice,
  world: OptionWorld,
  { near, document }: OptionTarget,
): { value: unknown; wrongKey?: string } {
  if (document !== undefined && !dice.oneIn(4)) return { value: nearDocument(dice, world.document) };
  if (near !== undefined && !dice.oneIn(3)) return nearValue(dice, near(world));
  return { value: anyValue(dice) };
}

const BAD_ARGUMENT = ["ERR_TSLAB_INVALID_TYPE", "ERR_TSLAB_OUT_OF_RANGE"];

function checkError(target: OptionTarget, error: unknown, wrongKey: string | undefined): void {
  if (error instanceof CallersOwnError) return;
  if (!isPackageError(error)) {
    const text = errorText(error);
    // A revoked proxy throws by itself, and so does a worker whose `once` is a class.
    if (/proxy that has been revoked/.test(text)) return;
    if (target.name === "watch" && /Class constructor/.test(text)) return;
    if (target.fast && error instanceof TypeError && /BigInt|Symbol|primitive value/.test(text)) return;
    throw new Violation("foreign", text);
  }
  const { message, code } = error;
  if (message.length < 10 || message.includes("[object")) {
    throw new Violation("wrong", `says nothing useful: ${message}`);
  }
  if (wrongKey !== undefined && !target.whole && BAD_ARGUMENT.includes(code) && !message.includes(wrongKey)) {
    throw new Violation("wrong", `does not name "${wrongKey}": ${message}`);
  }
}
