/**
 * What the runtime offers, looked up at run time: nothing here may be imported, because no module of any runtime exists on
 * all of them. Functions take the globals as an argument so that tests can put others in their place.
 */
import type { DenoNamespace } from "./deno.js";

/** The globals a backend may look at. All are missing somewhere. */
export interface Globals {
  readonly process?: {
    readonly platform?: string;
    readonly versions?: { readonly node?: string };
    readonly argv?: readonly string[];
    /** Options of the runtime itself, those before the program. */
    readonly execArgv?: readonly string[];
    /** Code given on the command line or through standard input. */
    readonly _eval?: string;
    /** Present where Node was started with its permission model. */
    readonly permission?: { has(scope: string): boolean };
    getBuiltinModule?(id: string): unknown;
  };
  readonly Deno?: DenoNamespace;
  readonly Bun?: { readonly version: string };
}

/** Where to look: globals, and the place this package was loaded from (absent in bundles that have none). */
export interface Host {
  readonly globals: Globals;
  readonly moduleUrl: string | undefined;
}

export const thisHost: Host = {
  globals: globalThis as unknown as Globals,
  moduleUrl: (import.meta as { readonly url?: string }).url,
};

export interface Runtime {
  readonly name: "node" | "deno" | "bun" | "other";
  /** For sentences: "Node 20.19.0". */
  readonly title: string;
  /** As in `process.platform`: linux, darwin, win32 ...; empty where unknown. */
  readonly platform: string;
}

/** Which runtime this is. Deno and Bun have Node's `process` too, so they are asked first. */
export function runtimeOf({ Deno, Bun, process }: Globals): Runtime {
  const platform = process?.platform ?? "";
  if (Deno !== undefined) {
    const { os } = Deno.build;
    return {
      name: "deno",
      title: `Deno ${Deno.version.deno}`,
      platform: os === "windows" ? "win32" : os,
    };
  }
  if (Bun !== undefined) return { name: "bun", title: `Bun ${Bun.version}`, platform };
  const node = process?.versions?.node;
  // A bundle for browsers may bring a `process` of its own, which has no built-in modules.
  const isNode = node !== undefined && process?.getBuiltinModule !== undefined;
  return isNode
    ? { name: "node", title: `Node ${node}`, platform }
    : { name: "other", title: "this runtime", platform };
}

/** True in a worker thread of Node (or of a runtime that has Node's modules). */
export function inWorkerThread(globals: Globals): boolean {
  return builtin<{ isMainThread?: boolean }>(globals, "node:worker_threads")?.isMainThread === false;
}

/** Options with which the first argument is no program that runs: code stands in for it, or it is only read. */
const NO_PROGRAM = /^(-e|-p|-pe|-c|--eval|--print|--check|--snapshot-blob)(=|$)/;

/** The program that runs; undefined where there is none, as with `node -e CODE FILE`: there FILE is the user's, not code. */
export function programOf({ process }: Globals): string | undefined {
  if (typeof process?._eval === "string") return undefined;
  if (process?.execArgv?.some((option) => NO_PROGRAM.test(option))) return undefined;
  return process?.argv?.[1];
}

/** A built-in module by its name, or undefined. The types of the runtime's modules are ours: see where they are used. */
export function builtin<T>(globals: Globals, id: string): T | undefined {
  return globals.process?.getBuiltinModule?.(id) as T | undefined;
}
