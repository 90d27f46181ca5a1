/** Command line of the long run. */
import { parseArgs } from "node:util";
import type { DamageFinding } from "./buffer-worker.js";
import { superviseDamage } from "./buffer-watchdog.js";
import { STATE_NAMES, type StateName } from "./heap-states.js";
import { addTally, newTally, tallyText } from "./outcome.js";

export async function runFromCommandLine(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { state: { type: "string" }, per: { type: "string" }, seed: {type:"string"}, stall: {type:"string"}, cases: {type:"string"}, first:{type:"string"} , roam: {type: "boolean"}} });
  const sum = newTally();
  const groups = new Map<string, { n: number; ex: DamageFinding; state: string }>();
  const states = values.state === undefined ? STATE_NAMES : [values.state as StateName];
  for (const state of states) {
    const t0 = performance.now();
    const tally = await superviseDamage({
      bundle: process.argv[1], state, plan: { kind: values.roam ? "roam":"sweep", seed: Number(values.seed ?? 1), perWord: Number(values.per ?? 2) },
      stallMs: Number(values.stall ?? 20) * 1000, cases: Number(values.cases ?? 1e9), first: Number(values.first ?? 0),
      onFinding: (f) => {
        const msg = f.message.replace(/\d+/g, "#").slice(0, 200);
        const key = `${f.region} ${f.kind} ${msg}`;
        const g = groups.get(key);
        if (g) g.n++; else { groups.set(key, { n: 1, ex: f, state }); console.log(`[${f.region}] ${f.kind} ${state} ${JSON.stringify(f.damage)} ${f.message.slice(0,160)}`); }
      },
    });
    addTally(sum, tally);
    console.log(state, tallyText(tally), Math.round(performance.now() - t0), "ms");
  }
  for (const [, g] of [...groups].sort((a, b) => a[0] < b[0] ? -1 : 1)) console.log(`${g.n}x [${g.ex.region}] ${g.ex.kind} ${g.state} ${JSON.stringify(g.ex.damage)}\n      ${g.ex.message}`);
  return 0;
}
