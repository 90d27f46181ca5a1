// usage: node scripts/ci-summary.mjs <vitest JSON report> [failed step ...]
// Prints "N passed, N failed" and exits non-zero when anything failed.
import { existsSync, readFileSync } from "node:fs";

const [reportPath, ...failedSteps] = process.argv.slice(2);
const report = existsSync(reportPath) ? JSON.parse(readFileSync(reportPath, "utf8")) : undefined;

const passed = report?.numPassedTests ?? 0;
const failedTests = report?.numFailedTests ?? 0;

// A step counts as one failure, except that failed tests already speak for the test step.
let failed = failedTests + failedSteps.filter((step) => step !== "tests" || failedTests === 0).length;
if (failed === 0 && passed === 0) failed = 1;

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
