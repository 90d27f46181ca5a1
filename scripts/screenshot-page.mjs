// Pictures of the live page for the documentation, in both themes, of a heap at work for a minute and a half with a leak
// in it: node scripts/screenshot-page.mjs [--seconds N] [--width N] [--height N] [--folder docs/images]
import { fork } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { bundleProgram } from "./bundle-program.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "100" },
    width: { type: "string", default: "1280" },
    height: { type: "string", default: "920" },
    folder: { type: "string", default: "docs/images" },
  },
});
const use = async (entry, name) => import(pathToFileURL(await bundleProgram(entry, name)).href);
const { Chromium } = await use("test/page/devtools.ts", "page-devtools");
const { findChromium } = await use("test/programs.ts", "programs");
const { command, missing } = findChromium();
if (command === undefined) throw new Error(missing);

const options = { intervalMs: 1000, thresholds: { leakThresholdSec: 45 } };
const service = fork(join(root, "test/page/service.mjs"), [JSON.stringify(options)]);
const chromium = new Chromium(command);
try {
  const { url } = await new Promise((resolve) => service.once("message", resolve));
  // Some objects live for 7 s, an epoch is open for 0.8 s: half of the ring holds something, and nothing but the leaks
  // lasts longer than the threshold.
  service.send({ keep: { requests: 1600, turns: 40 } });
  service.send({ leak: { label: "background-worker-3", objects: 570 } });
  const pages = await Promise.all(
    ["light", "dark"].map(async (theme) => {
      const page = await chromium.page();
      await page.send("Emulation.setScrollbarsHidden", { hidden: true });
      await page.size(Number(values.width), Number(values.height));
      await page.media({ "prefers-color-scheme": theme });
      await page.open(url);
      return { theme, page };
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, 2000));
  service.send({ leak: { label: "POST /orders", objects: 42 } });
  await new Promise((resolve) => setTimeout(resolve, Number(values.seconds) * 1000));
  mkdirSync(join(root, values.folder), { recursive: true });
  for (const { theme, page } of pages) {
    await page.until("document.querySelectorAll('#leaks li').length > 0");
    const path = join(values.folder, `live-page-${theme}.png`);
    const picture = await page.screenshot();
    writeFileSync(join(root, path), picture);
    console.log(`${path}: ${Math.round(picture.length / 1024)} KiB`);
  }
} finally {
  service.kill("SIGKILL");
  await chromium.close();
}
