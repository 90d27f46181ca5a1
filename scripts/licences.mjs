// The licences of packages that a bundle contains: they ask that each copy carries notice and permission.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** `inputs`: paths of esbuild's metafile. One text for all packages among them, by name; throws where one has no licence. */
export function licencesOf(inputs) {
  // By folder: two versions of one package may be in it.
  const folders = new Set(
    inputs.flatMap((path) => path.match(/.*node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0] ?? []),
  );
  const texts = [...folders].sort().map((path) => {
    const folder = join(root, path);
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e([-.].*)?$/i.test(entry));
    if (file === undefined) throw new Error(`${name} is bundled, but has no licence text`);
    return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  });
  return texts.join(`\n${"=".repeat(8)}\n\n`);
}
