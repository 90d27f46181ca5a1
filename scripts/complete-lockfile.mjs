// Run after changing devDependencies on a machine whose registry lacks packages for other platforms:
//
//   npm install && node scripts/complete-lockfile.mjs
//
// Some registries only carry the binaries of one platform. npm then leaves the others out of the lockfile,
// and `npm ci` calls that lockfile out of sync (npm issue 9846). This adds an entry with exact version, os
// and cpu for every optional dependency that is missing; npm skips them where they do not apply.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const OS = {
  aix: "aix",
  android: "android",
  darwin: "darwin",
  freebsd: "freebsd",
  fsevents: "darwin",
  linux: "linux",
  netbsd: "netbsd",
  openbsd: "openbsd",
  openharmony: "openharmony",
  sunos: "sunos",
  win32: "win32",
};
const CPUS = ["arm64", "arm", "x64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "wasm32"];
const LIBC = { gnu: "glibc", gnueabihf: "glibc", musl: "musl", musleabihf: "musl" };

const path = join(dirname(fileURLToPath(import.meta.url)), "../package-lock.json");
const lock = JSON.parse(readFileSync(path, "utf8"));

const added = [];
for (const { optionalDependencies = {} } of Object.values(lock.packages)) {
  for (const [name, range] of Object.entries(optionalDependencies)) {
    if (lock.packages[`node_modules/${name}`] !== undefined) continue;
    lock.packages[`node_modules/${name}`] = { version: range.replace(/^[~^]/, ""), ...platform(name) };
    added.push(name);
  }
}

lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(path, `${JSON.stringify(lock, undefined, 2)}\n`);
console.log(`${added.length} entries added`);

function platform(name) {
  const words = name.split(/[/-]/);
  const os = words.map((word) => OS[word]).find((found) => found !== undefined);
  if (os === undefined) throw new Error(`cannot tell the platform of ${name}: add it by hand`);
  const cpu = CPUS.find((arch) => words.includes(arch));
  const libc = words.map((word) => LIBC[word]).find((found) => found !== undefined);
  // Keys in the order npm writes them.
  return {
    ...(cpu === undefined ? {} : { cpu: [cpu] }),
    dev: true,
    ...(os === "linux" && libc !== undefined ? { libc: [libc] } : {}),
    optional: true,
    os: [os],
  };
}
