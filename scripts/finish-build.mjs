// Runs after tsc: drops output whose source is gone and keeps the command executable.
//
// dist/ is updated in place rather than emptied first, so that a test run or bench
// going on at the same time never finds the package missing.
import { chmodSync, existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");

/** dist-relative path of the source file an output came from, without its extension. */
const stem = (path) => path.replace(/\.(d\.ts|js)(\.map)?$/, "");

for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const path = join(entry.parentPath, entry.name);
  if (!existsSync(join(root, "src", `${stem(path.slice(dist.length + 1))}.ts`))) rmSync(path);
}
removeEmptyFolders(dist);

if (existsSync(join(root, "src/cli/main.ts"))) {
  const command = join(dist, "cli/main.js");
  if (!readFileSync(command, "utf8").startsWith("#!/usr/bin/env node\n")) {
    throw new Error("dist/cli/main.js has no shebang: start src/cli/main.ts with #!/usr/bin/env node");
  }
  chmodSync(command, 0o755);
}

function removeEmptyFolders(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeEmptyFolders(join(folder, entry.name));
  }
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}
