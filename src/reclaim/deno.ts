/** Deno's foreign functions. Types are those parts that are used. */
import type { Advice } from "./advice.js";
import type { Host, Runtime } from "./host.js";
import { MADVISE, MEMMOVE, type Opened, openChecked, PAGE_SIZE } from "./libc.js";

interface FfiPermission {
  readonly name: "ffi";
  readonly path?: string;
}

export interface DenoNamespace {
  readonly version: { readonly deno: string };
  readonly build: { readonly os: string; readonly arch?: string };
  readonly permissions?: {
    /** `partial`: granted, but not for every path (--allow-ffi with --deny-ffi=PATH). */
    querySync(permission: FfiPermission): { readonly state: string; readonly partial?: boolean };
  };
  dlopen?(path: string, functions: Record<string, Signature>): Library;
}

interface Signature {
  readonly parameters: readonly string[];
  readonly result: string;
}

interface Library {
  readonly symbols: Record<string, (...args: unknown[]) => number | bigint>;
}

const SIGNATURES: Readonly<Record<string, Signature>> = {
  [MADVISE]: { parameters: ["usize", "usize", "i32"], result: "i32" },
  [PAGE_SIZE]: { parameters: [], result: "i32" },
  // Deno.UnsafePointer.of would tell addresses too, but wants the right to load every library.
  [MEMMOVE]: { parameters: ["buffer", "buffer", "usize"], result: "usize" },
};

export function openDeno({ globals }: Host, { title }: Runtime, { library }: Advice): Opened {
  return openChecked("Deno.dlopen", () => {
    const { Deno } = globals;
    if (Deno?.dlopen === undefined) return { why: `${title} does not offer Deno.dlopen` };
    const paths = grantedPaths(Deno, library);
    if (paths.length === 0) return { why: `${title} was started without --allow-ffi` };
    const opened = openFirst(Deno, paths);
    const { symbols } = opened;
    const madvise = symbols[MADVISE] as (address: number, length: number, advice: number) => number;
    const memmove = symbols[MEMMOVE] as (to: Uint8Array, from: Uint8Array, length: number) => number | bigint;
    return {
      title: "Deno.dlopen",
      keep: opened,
      pageBytes: Number(symbols[PAGE_SIZE]?.()),
      madvise,
      addressOf: (view) => Number(memmove(view, view, 0)),
    };
  });
}

/**
 * The names of the C library that may be opened without a question to the user: the one in the process with --allow-ffi, or
 * those of the paths it commonly has that were granted. Asking for the state of a permission never prompts.
 *
 * Where anything is denied Deno checks the name against the list as a path, and opens what it made of it: a bare name
 * becomes a file of the current folder, which may be anybody's. There only whole paths are opened.
 */
function grantedPaths({ permissions, build }: DenoNamespace, library: string): readonly string[] {
  const all = permissions?.querySync({ name: "ffi" });
  if (all?.state === "granted" && all.partial !== true) return [library];
  const folders = [
    `/lib/${build.arch}-linux-gnu/`,
    `/usr/lib/${build.arch}-linux-gnu/`,
    "/lib64/",
    "/usr/lib64/",
    "/usr/lib/",
  ];
  const paths = library.startsWith("/") ? [library] : folders.map((folder) => folder + library);
  return paths.filter((path) => permissions?.querySync({ name: "ffi", path }).state === "granted");
}

/** The first that there is: no system has the library at all of its paths. Throws what the last one threw. */
function openFirst(Deno: DenoNamespace, paths: readonly string[]): Library {
  let failure: unknown;
  for (const path of paths) {
    try {
      return (Deno.dlopen as NonNullable<DenoNamespace["dlopen"]>)(path, SIGNATURES);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
