/**
 * Defends: every example in every help text works as it stands.
 * Method: each one in a real bash, in a folder with the files they name. Changed are only the port of the server they ask,
 * and how long workloads run; what goes on until Ctrl-C gets it once it has printed something.
 */
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Example } from "../../src/cli/command.js";
import { isGroup } from "../../src/cli/command.js";
import { COMMANDS } from "../../src/cli/commands.js";
import { OVERVIEW_EXAMPLES } from "../../src/cli/help.js";
import { findJq, unlessMissing } from "../programs.js";
import { type DocumentFolder, documentFolder, installPrograms } from "./documents.js";
import { startCli } from "./run-cli.js";
import { runLine } from "./shell.js";

const jq = findJq();
const entries = COMMANDS.flatMap((entry) => (isGroup(entry) ? entry.entries : [entry]));
const commands = await Promise.all(entries.map((entry) => entry.load()));
const examples: readonly Example[] = [
  ...OVERVIEW_EXAMPLES,
  ...commands.flatMap((command) => command.examples),
];

let folder: DocumentFolder;
let service: ReturnType<typeof startCli>;
let port = "";

beforeAll(async () => {
  folder = documentFolder();
  installPrograms(folder, "c-dump.json");
  // A trace of one object, allocated and freed.
  writeFileSync(folder.file("gcc-cc1.trace.gz"), gzipSync(Buffer.from(Int32Array.of(64, 0, 0, 0).buffer)));
  service = startCli(["serve", folder.file("stats.json"), "--port", "0"]);
  await new Promise<void>((resolve, reject) => {
    service.once("close", () => reject(new Error("the service has ended")));
    service.stdout.setEncoding("utf8").on("data", (text: string) => {
      port = /127\.0\.0\.1:(\d+)\//.exec(text)?.[1] ?? port;
      if (port !== "") resolve();
    });
  });
});

afterAll(() => {
  service.kill();
  folder.remove();
});

/** Ends what would go on for ever. */
const isEndless = (line: string): boolean =>
  /^tslab (serve|watch|top .*--interval)/.test(line) && !line.includes("--count");

describe("examples", () => {
  const lines = [...new Set(examples.map(({ run }) => run))];
  it.concurrent.each(lines)("%s", async (line) => {
    if (line.includes("jq") && jq.command === undefined) {
      console.log(unlessMissing(line, jq));
      return;
    }
    const real = line
      .replace("127.0.0.1:2112", `127.0.0.1:${port}`)
      .replace("--port 2112", "--port 0")
      .replace("--serve 2112", "--serve 0")
      .replace(/--duration \d+/, "--duration 0.3")
      .replace(/^tslab workload(?!.*--duration)/, "$& --duration 0.3")
      .replace("--duration 0.3 --trace", "--trace");
    const { code, stdout, stderr } = await runLine(real, {
      cwd: folder.path,
      ...(isEndless(line) && { until: (output) => output.length > 0 }),
    });
    // 1: a finding, such as the leak in stats.json. 2 would be a command line that is wrong.
    expect([0, 1]).toContain(code);
    expect(stderr).not.toMatch(/^tslab: \w+: |\berror\b|command not found/im);
    const printsNothing = / -o | > \S+\.\w+$|--no-json/.test(line);
    // A demo run need not have anybody inside an epoch just then.
    if (!line.includes("select(")) expect(stdout === "").toBe(printsNothing);
  });
});
