import { Sources } from "../explorer/source.js";
import { MUTATIONS } from "./list.js";
import { exploreDepthFirst } from "../explorer/explore.js";
import { MUTANT_SCENARIOS } from "./scenarios-for-mutants.js";
import { readFileSync } from "node:fs";
for (const m of MUTATIONS) { const t = new Map<string,string>(); for (const e of m.edits) { const x = t.get(e.file) ?? readFileSync("src/allocator/"+e.file,"utf8"); const p = x.split(e.find); if (p.length!==2) console.log(m.name, e.file, p.length-1, JSON.stringify(e.find).slice(0,150)); t.set(e.file, p.join(e.replace)); } }
if (process.argv[2]) { const c = await new Sources().compile(); for (const sc of MUTANT_SCENARIOS) for (const mode of ["sc","tso","weak"] as const) { try {
 const f = exploreDepthFirst(sc,c,mode,{preemptions:+(process.argv[3]??1),kills:sc.kills??(sc.killable?1:0),delays:2},{ms:+process.argv[2]}); if (f.violation) console.log(sc.name,mode,f.schedules,f.exhaustive,Math.round(f.ms),f.violation?.split("\n").slice(0,3),f.schedule); } catch(e) { console.log(sc.name, mode, String(e)); break; } } }
process.exit(0);
