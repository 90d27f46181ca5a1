import { Sources } from "../explorer/source.js";
import { allScenarios, catchMutant } from "./catch.js";
import { MUTATIONS } from "./list.js";
const s = new Sources();
for (const n of (process.argv[2]??"").split(",")) {
const t=performance.now();
await s.compile(MUTATIONS.find(m=>m.name===n)!.edits);
console.log("compile", performance.now()-t);
console.log(await catchMutant(s, MUTATIONS.find(m=>m.name===n)!, allScenarios(), 3000));
}
process.exit(0);
