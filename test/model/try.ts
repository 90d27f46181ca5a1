import { Sources } from "./explorer/source.js";
import { exploreDepthFirst, exploreAtRandom, replay } from "./explorer/explore.js";
import { parseSchedule } from "./explorer/driver.js";
import { SCENARIOS } from "./scenarios/index.js";
const c = await new Sources().compile();
const [only, mode0, pre] = process.argv.slice(2);
for (const sc of SCENARIOS) {
  if (only === "core" && !sc.core) continue;
  if (only && only !== "all" && only !== "core" && sc.name !== only) continue;
  for (const mode of (mode0 ? [mode0] : ["sc", "tso", "weak"]) as ("sc"|"tso"|"weak")[]) {
    const limits = { preemptions: +(pre ?? 2), kills: sc.kills ?? (sc.killable ? 1 : 0), delays: 2 };
    const f = exploreDepthFirst(sc, c, mode, limits, { ms: +(process.argv[5] ?? 5000) });
    console.log(sc.name, mode, f.schedules, f.complete, f.withKill, f.states, f.longest, f.exhaustive, Math.round(f.ms), f.violation ?? "");
    if (f.violation) {
      console.log(f.schedule);
      const r = replay(sc, c, mode, limits, parseSchedule(f.schedule!));
      if (only && only !== "all") console.log(r.trace.join("\n")); console.log(r.violation);
      if (only && only !== "all") process.exit(1);
    }
  }
}
