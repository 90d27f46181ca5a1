/** Node's own foreign functions, `node:ffi`: experimental since Node 26. Types are those parts that are used. */
import { builtin, type Host, type Runtime } from "./host.js";
import { MADVISE, type Opened, openChecked, PAGE_SIZE } from "./libc.js";

interface NodeFfi {
  dlopen(
    path: string | null,
    functions: Record<string, { readonly arguments: readonly string[]; readonly return: string }>,
  ): { readonly functions: Record<string, (...args: unknown[]) => number> };
  getRawPointer(view: Uint8Array): bigint;
}

export function openNodeFfi({ globals }: Host, { title }: Runtime): Opened {
  return openChecked("node:ffi", () => {
    // Asked without loading it: that would print its warning for nothing.
    const modules = builtin<{ isBuiltin?(id: string): boolean }>(globals, "node:module");
    if (modules?.isBuiltin?.("node:ffi") !== true) return { why: `${title} does not offer node:ffi` };
    // With the permission model the module is there and refuses.
    if (globals.process?.permission?.has("ffi") === false) {
      return { why: `${title} was started with --permission and without --allow-ffi` };
    }
    const ffi = builtin<NodeFfi>(globals, "node:ffi");
    if (ffi === undefined) return { why: `${title} does not offer node:ffi` };
    // null: what is loaded already. A pointer is as wide as an address and a size on every processor, and a BigInt.
    const library = ffi.dlopen(null, {
      [MADVISE]: { arguments: ["pointer", "pointer", "int32"], return: "int32" },
      [PAGE_SIZE]: { arguments: [], return: "int32" },
    });
    const { functions } = library;
    const madvise = functions[MADVISE] as (address: bigint, length: bigint, advice: number) => number;
    return {
      title: "node:ffi",
      keep: library,
      pageBytes: (functions[PAGE_SIZE] as () => number)(),
      madvise: (address, length, advice) => madvise(BigInt(address), BigInt(length), advice),
      addressOf: (view) => Number(ffi.getRawPointer(view)),
    };
  });
}
