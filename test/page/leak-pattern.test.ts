/**
 * Defends: what a user sees who runs `tslab serve --demo leak`: the page names the leak of the `leak` pattern, which forgets
 * one object of a hundred in epochs that close with each request, in words, and the document title says so.
 * Method: the built command with its real worker threads, the page in a real Chromium.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findChromium, unlessMissing } from "../programs.js";
import { Chromium } from "./devtools.js";

const browser = findChromium();
const COMMAND = join(import.meta.dirname, "../../dist/cli/main.js");

describe.skipIf(browser.command === undefined)(unlessMissing("tslab serve --demo leak", browser), () => {
  let chromium: Chromium;
  let served: ChildProcess;
  let url = "";

  beforeAll(async () => {
    chromium = new Chromium(browser.command ?? "");
    const args = [COMMAND, "serve", "--demo", "leak", "--leak-threshold", "2s", "--port", "0"];
    served = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    url = await new Promise((resolve, reject) => {
      let text = "";
      served.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        const found = /live page\s+(\S+)/.exec(text)?.[1];
        if (found !== undefined) resolve(found);
      });
      served.once("exit", (code) => reject(new Error(`tslab serve ended with ${code}: ${text}`)));
    });
  });
  afterAll(async () => {
    await chromium?.close();
    const gone = new Promise((resolve) => served.once("exit", resolve));
    served.kill("SIGTERM");
    await gone;
  });

  test("the page says what was never freed, and whose bug it is", async () => {
    const page = await chromium.page();
    await page.open(url);
    await page.until("document.querySelectorAll('#leaks li').length > 1");
    expect(await page.text("#leaks .sentence")).toMatch(
      /objects? still live .*never freed\. Application bug\./,
    );
    expect(await page.text("#leaks .action")).toMatch(/discardEpoch|discardBefore|free/);
    expect(await page.value("document.title")).toMatch(/^\d+ leaks/);
    expect(page.troubles).toEqual([]);
  });
});
