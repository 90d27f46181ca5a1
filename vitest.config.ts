import { defineConfig } from "vitest/config";

const inCi = process.env.CI !== undefined && process.env.CI !== "";

export default defineConfig({
  // Node 20 cannot parse `using`: have it lowered in tests too.
  esbuild: { target: "es2022" },
  test: {
    environment: "node",
    include: ["test/**/*.test.ts"],
    // Tests start worker threads and terminate them: each file gets a process of its own.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // .ci/run takes its count from the JSON file.
    reporters: inCi ? ["default", ["json", { outputFile: "test-results/vitest.json" }]] : ["default"],
  },
});
