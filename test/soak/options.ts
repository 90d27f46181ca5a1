/** Arguments of `npm run soak`. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { ROW_COUNT } from "./board.mjs";

export interface SoakOptions {
  readonly minutes: number;
  /** Ends after so many rounds even when there is time left. */
  readonly rounds: number;
  readonly seed: number;
  readonly threads: number;
  /** Bytes of every heap; undefined: each round has its own. */
  readonly capacity: number | undefined;
}

export class UsageError extends Error {}

export const USAGE = `usage: npm run soak -- [--minutes N] [--seed S] [--threads N] [--capacity BYTES] [--rounds N]

  --minutes N       how long, fractions allowed; default 1
  --seed S          seed of the first round, 0..2^31 - 1; the others follow from it; default random
  --threads N       threads with a seat, 1..${ROW_COUNT - 4}; default 3 more than processors, at least 5
  --capacity BYTES  payload of every heap, 256 KiB..1 GiB; default: chosen anew for each round
  --rounds N        stop after so many rounds`;

/** Throws {@link UsageError}. */
export function parseOptions(args: readonly string[]): SoakOptions {
  const text = { type: "string" } as const;
  let values: { minutes?: string; seed?: string; threads?: string; capacity?: string; rounds?: string };
  try {
    values = parseArgs({
      args: [...args],
      options: { minutes: text, seed: text, threads: text, capacity: text, rounds: text },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const whole = (name: keyof typeof values, fallback: number, min: number, max: number): number => {
    const value = number(name, values[name], fallback, min, max);
    if (!Number.isInteger(value))
      throw new UsageError(`--${name} must be a whole number; got ${values[name]}`);
    return value;
  };
  return {
    minutes: number("minutes", values.minutes, 1, 0.01, 10_000),
    rounds: whole("rounds", Number.MAX_SAFE_INTEGER, 1, Number.MAX_SAFE_INTEGER),
    seed: whole("seed", Math.floor(Math.random() * 2 ** 31), 0, 2 ** 31 - 1),
    threads: whole("threads", Math.max(5, availableParallelism() + 3), 1, ROW_COUNT - 4),
    capacity: values.capacity === undefined ? undefined : whole("capacity", 0, 2 ** 18, 2 ** 30),
  };
}

function number(name: string, given: string | undefined, fallback: number, min: number, max: number): number {
  if (given === undefined) return fallback;
  const value = given.trim() === "" ? Number.NaN : Number(given);
  if (!(value >= min && value <= max)) {
    throw new UsageError(`--${name} must be a number from ${min} to ${max}; got ${JSON.stringify(given)}`);
  }
  return value;
}
