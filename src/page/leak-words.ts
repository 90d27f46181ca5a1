/** What is said about leaks, apart from the sentences that come with them. */
import type { LiveLeak } from "../http/live-state.js";
import { plural } from "./format.js";

export const LEAK_KINDS: Readonly<Record<string, string>> = {
  domain: "Entered, never left",
  object: "Never freed",
};

export const NO_LEAKS =
  "No leaks: no closed epoch has been holding references or objects for longer than it should.";

export const keyOfLeak = (leak: LiveLeak): string => `${leak.kind} ${leak.epochId} ${leak.era}`;

/** What to say aloud when the leaks changed; undefined when nobody need be told. `before`: null at the first event. */
export function announcement(
  before: readonly LiveLeak[] | null,
  now: readonly LiveLeak[],
  total: number,
): string | undefined {
  if (before === null)
    return now[0] === undefined ? undefined : `${plural(total, "leak")}. ${now[0].sentence}`;
  const known = new Set(before.map(keyOfLeak));
  const fresh = now.find((leak) => !known.has(keyOfLeak(leak)));
  if (fresh !== undefined) return `${plural(total, "leak")} now. New: ${fresh.sentence}`;
  return before.length > 0 && now.length === 0 ? "No leaks any more." : undefined;
}
