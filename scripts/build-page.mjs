// Makes the live page, dist/live-page.js, from src/page: one HTML document with its styles and script inside, so that a
// policy of two hashes allows it and nothing else is ever fetched. The licences of what it contains are at its end.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { licencesOf } from "./licences.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const PAGE = "src/page";

/** Returns the paths it wrote, from the root. */
export async function buildPage() {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: [`${PAGE}/main.ts`, `${PAGE}/style.css`],
    outdir: "dist",
    write: false,
    bundle: true,
    minify: true,
    format: "iife",
    platform: "browser",
    target: ["es2022", "chrome111", "firefox113", "safari16.4"],
    // Said in full at the end of the document.
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
  });
  const text = (extension) => outputFiles.find(({ path }) => path.endsWith(extension)).text.trim();
  const document = readFileSync(join(root, PAGE, "index.html"), "utf8")
    .replace("/*style*/", () => inMarkup("style", text(".css")))
    .replace("/*script*/", () => inMarkup("script", text(".js")));
  const html = `${document.trim()}\n${notices(Object.keys(metafile.inputs))}\n`;
  mkdirSync(join(root, "dist"), { recursive: true });
  const path = "dist/live-page.js";
  // A server of a test going on at the same time finds the old page or the new one.
  const fresh = join(root, `${path}.${process.pid}.tmp`);
  writeFileSync(fresh, `export const livePage = ${JSON.stringify(html)};\n`);
  renameSync(fresh, join(root, path));
  return [path];
}

/** Nothing inside the element may look like its end, or like a comment that would swallow the end. */
function inMarkup(element, text) {
  const safe = text.replaceAll(/<(?=\/(script|style)|!--|script)/gi, "\\x3c");
  if (element === "style" && safe !== text) throw new Error("the style sheet contains markup");
  return safe;
}

function notices(inputs) {
  return `<!--\nThis page contains:\n\n${licencesOf(inputs).replaceAll("--", "- -")}-->`;
}
