/** Bun's foreign functions, `bun:ffi`. Types are those parts that are used. */
import type { Advice } from "./advice.js";
import { builtin, type Host, type Runtime } from "./host.js";
import { MADVISE, type Opened, openChecked, PAGE_SIZE } from "./libc.js";

export interface BunModule {
  dlopen(
    path: string,
    functions: Record<string, { readonly args: readonly string[]; readonly returns: string }>,
  ): { readonly symbols: Record<string, (...args: unknown[]) => number> };
  ptr(view: Uint8Array): number;
}

export function openBun({ globals }: Host, { title }: Runtime, { library }: Advice): Opened {
  return openChecked("bun:ffi", () => {
    const ffi = builtin<BunModule>(globals, "bun:ffi");
    if (ffi === undefined) return { why: `${title} does not offer bun:ffi` };
    const opened = ffi.dlopen(library, {
      [MADVISE]: { args: ["ptr", "u64", "i32"], returns: "i32" },
      [PAGE_SIZE]: { args: [], returns: "i32" },
    });
    const { symbols } = opened;
    const madvise = symbols[MADVISE] as (address: number, length: number, advice: number) => number;
    return {
      title: "bun:ffi",
      keep: opened,
      pageBytes: (symbols[PAGE_SIZE] as () => number)(),
      madvise,
      addressOf: (view) => ffi.ptr(view),
    };
  });
}
