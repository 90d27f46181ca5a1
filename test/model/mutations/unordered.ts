/** Faults that only show where a thread leaves its domains in another order than it entered them. */
import { change, type Mutation } from "./mutation.js";

const DOMAIN = "heap/domain.ts";
const REFS = "epochs/refs.ts";

export const UNORDERED_MUTATIONS: readonly Mutation[] = [
  {
    name: "unordered-leaves-the-stack",
    breaks: "An unordered domain takes the thread's innermost nested one off the stack.",
    edits: [
      change(
        DOMAIN,
        "if (!this.unordered) this.heap.domains.pop();",
        "if (this.heap) this.heap.domains.pop();",
      ),
    ],
    scenarios: ["unordered-mixed"],
  },
  {
    name: "exit-of-any-era",
    breaks:
      "A domain of a displaced era, left late, gives up the membership in the newer era of its ring slot.",
    edits: [change(REFS, "if (a.m[sref] !== era) return false;", "if (a.m[sref] === 0) return false;")],
    scenarios: ["unordered-shared-slot"],
  },
  {
    name: "enter-keeps-old-depth",
    breaks: "Levels of a displaced era count for the newer one: nobody is the last one out.",
    edits: [
      change(
        REFS,
        "nested ? (a.depth[ring] as number) + 1 : 1",
        "nested || displaced > 0 ? (a.depth[ring] as number) + 1 : 1",
      ),
    ],
    scenarios: ["unordered-shared-slot", "unordered-slot-levels"],
  },
  {
    name: "exit-ends-all-levels",
    breaks: "Whoever leaves one level of several leaves the era: it is closed around the others.",
    edits: [change(REFS, "  if (depth > 0) return false;\n", "  if (depth > 1) return false;\n")],
    scenarios: ["unordered-levels"],
  },
];
