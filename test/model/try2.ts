import { Sources } from "./explorer/source.js";
import { exploreAtRandom } from "./explorer/explore.js";
import { SCENARIOS } from "./scenarios/index.js";
const c = await new Sources().compile();
let n = 0, k = 0, ms = 0;
for (const sc of SCENARIOS) {
  const mode = (process.argv[2] ?? "tso") as "tso";
  const f = exploreAtRandom(sc, c, mode, { preemptions: 20, kills: sc.kills ?? (sc.killable ? 1 : 0), delays: 20 }, { ms: 500 }, 12345);
  n += f.complete; k += f.withKill; ms += f.ms;
  if (f.violation) console.log(sc.name, f.violation, f.schedule);
}
console.log(n, k, ms, n / ms);
