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
  readonly permissions?: { querySync(permission: FfiPermission): { readonly state: string } };
  dlopen?(
    path: string,
    functions: Record<string, { readonly parameters: readonly string[]; readonly result: string }>,
  ): { readonly symbols: Record<string, (...args: unknown[]) => number | bigint> };
}

export function openDeno({ globals }: Host, { title }: Runtime, { library }: Advice): Opened {
  return openChecked("Deno.dlopen", () => {
    const { Deno } = globals;
    if (Deno?.dlopen === undefined) return { why: `${title} does not offer Deno.dlopen` };
    const path = grantedPath(Deno, library);
    if (path === undefined) return { why: `${title} was started without --allow-ffi` };
    const opened = Deno.dlopen(path, {
      [MADVISE]: { parameters: ["usize", "usize", "i32"], result: "i32" },
      [PAGE_SIZE]: { parameters: [], result: "i32" },
      // Deno.UnsafePointer.of would tell addresses too, but wants the right to load every library.
      [MEMMOVE]: { parameters: ["buffer", "buffer", "usize"], result: "usize" },
    });
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
 * The name of the C library that may be opened without a question to the user: as it is with --allow-ffi, or one of the
 * paths it commonly has with --allow-ffi=PATH. Asking for the state of a permission never prompts.
 */
function grantedPath({ permissions, build }: DenoNamespace, library: string): string | undefined {
  const granted = (path?: string): boolean =>
    permissions?.querySync(path === undefined ? { name: "ffi" } : { name: "ffi", path }).state === "granted";
  if (granted()) return library;
  const folders = [
    `/lib/${build.arch}-linux-gnu/`,
    `/usr/lib/${build.arch}-linux-gnu/`,
    "/lib64/",
    "/usr/lib64/",
  ];
  const paths = library.startsWith("/")
    ? [library]
    : [...folders, "/usr/lib/"].map((folder) => folder + library);
  return paths.find(granted);
}
