/** Runtimes in plain objects, for tests of what is chosen and why. */
import { createRequire } from "node:module";
import type { Globals, Host } from "../../src/reclaim/host.js";

type Modules = Readonly<Record<string, unknown>>;

export const nodeGlobals = (modules: Modules, platform = "linux"): Globals => ({
  process: {
    platform,
    versions: { node: "20.20.2" },
    argv: ["/usr/bin/node"],
    getBuiltinModule: (id) => modules[id],
  },
});

export const host = (globals: Globals, moduleUrl: string | undefined = import.meta.url): Host => ({
  globals,
  moduleUrl,
});

/**
 * `node:module` whose `require` finds koffi to be `koffi`, and nothing where that is undefined; with node:ffi too where `ffi`
 * is given, which is loaded by calling it.
 */
export const modulesWith = (koffi?: () => unknown, ffi?: () => unknown): Modules => ({
  get "node:ffi"() {
    return ffi?.();
  },
  "node:module": {
    isBuiltin: (id: string) => id === "node:module" || (id === "node:ffi" && ffi !== undefined),
    createRequire: () =>
      Object.assign(() => koffi?.(), {
        resolve() {
          if (koffi === undefined)
            throw Object.assign(new Error("Cannot find"), { code: "MODULE_NOT_FOUND" });
          return "/koffi";
        },
      }),
  },
});

/** What is really there, with one difference. */
export const realKoffi = (changed: object = {}): unknown => ({
  ...(createRequire(import.meta.url)("koffi") as object),
  ...changed,
});

/**
 * Deno, with a permission state per path (`""`: without a path; "partial" where some paths are denied all the same); counts
 * what it was asked to open.
 */
export function deno(state: (path: string) => string, os = "linux") {
  const opened: string[] = [];
  const globals: Globals = {
    process: { platform: "linux", versions: { node: "24.0.0" } },
    Deno: {
      version: { deno: "2.9.6" },
      build: { os, arch: "x86_64" },
      permissions: {
        querySync({ path = "" }) {
          const partial = state(path) === "partial";
          return { state: partial ? "granted" : state(path), partial };
        },
      },
      dlopen(path) {
        opened.push(path);
        throw new Error("Could not open library: no such file.\nAnd more.");
      },
    },
  };
  return { globals, opened };
}
