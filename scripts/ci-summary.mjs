// usage: node scripts/ci-summary.mjs <vitest JSON report> [failed step ...]
// Names every failed test with the start of its message, prints "N passed, N failed" last, and exits non-zero when
// anything failed.
import { existsSync, readFileSync } from "node:fs";
import { relative } from "node:path";

const [reportPath, ...failedSteps] = process.argv.slice(2);
const report = existsSync(reportPath) ? JSON.parse(readFileSync(reportPath, "utf8")) : undefined;

for (const { name, message, assertionResults } of report?.testResults ?? []) {
  const file = relative(process.cwd(), name);
  const failures = assertionResults.filter(({ status }) => status === "failed");
  for (const { fullName, failureMessages } of failures) {
    console.log(
      `failed: ${file} > ${fullName}\n  ${(failureMessages[0] ?? "").slice(0, 600).replaceAll("\n", "\n  ")}`,
    );
  }
  if (failures.length === 0 && message) console.log(`failed: ${file}\n  ${message.slice(0, 600)}`);
}

const passed = report?.numPassedTests ?? 0;
const failedTests = report?.numFailedTests ?? 0;

// A step counts as one failure, except that failed tests already speak for the test step.
let failed = failedTests + failedSteps.filter((step) => step !== "tests" || failedTests === 0).length;
if (failed === 0 && passed === 0) failed = 1;

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
