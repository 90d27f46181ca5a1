import { Sources } from "./explorer/source.js";
import { replay } from "./explorer/explore.js";
import { parseSchedule } from "./explorer/driver.js";
import { SCENARIOS } from "./scenarios/index.js";
const [name, mode, sched] = process.argv.slice(2);
const c = await new Sources().compile();
const sc = SCENARIOS.find((s) => s.name === name)!;
const r = replay(sc, c, mode as "sc", { preemptions: 9, kills: 2, delays: 9 }, parseSchedule(sched!));
console.log(r.trace.join("\n")); console.log(r.violation);
