/**
 * The package koffi, where the user has installed it: 2.12 to 3.x (older ones do not know shared memory on Node 20). Types
 * are those parts that are used, by structure.
 */
import { builtin, type Host, programOf } from "./host.js";
import { MADVISE, MEMMOVE, type Opened, openChecked, PAGE_SIZE } from "./libc.js";

interface Koffi {
  readonly version?: string;
  load(path: string | null): {
    func(
      name: string,
      result: string,
      parameters: readonly string[],
    ): (...args: unknown[]) => number | bigint;
  };
  address?(view: Uint8Array): number | bigint;
}

interface NodeModule {
  createRequire(from: string): Require;
}
type Require = ((id: string) => unknown) & { resolve(id: string): string };

/**
 * Once per thread: a worker that is terminated while koffi loads, or while it is told of a function, ends the process.
 * Calls of the functions are no such moment.
 */
const openedOn = new WeakMap<Host, Opened>();

export function openKoffi(host: Host): Opened {
  const opened = openedOn.get(host) ?? open(host);
  if (!("why" in opened)) openedOn.set(host, opened);
  return opened;
}

function open(host: Host): Opened {
  return openChecked("koffi", () => {
    const koffi = loadKoffi(host);
    if (koffi === undefined) return { why: "koffi is not installed" };
    if (koffi === "denied") return { why: DENIED };
    const title = `koffi ${koffi.version ?? "of unknown version"}`;
    return openChecked(title, () => {
      // null: what is loaded already. No library is searched for.
      const process = koffi.load(null);
      const madvise = process.func(MADVISE, "int", ["uintptr_t", "size_t", "int"]);
      const pageSize = process.func(PAGE_SIZE, "int", []);
      const memmove = process.func(MEMMOVE, "uintptr_t", ["void *", "void *", "size_t"]);
      return {
        title,
        pageBytes: Number(pageSize()),
        keep: process,
        madvise: (address, length, advice) => Number(madvise(address, length, advice)),
        addressOf: addressFunction(koffi, memmove),
      };
    });
  });
}

/** `koffi.address` knows views since 2.16. Asked of shared memory, because that is what it will be asked for. */
function addressFunction(
  koffi: Koffi,
  memmove: (...args: unknown[]) => number | bigint,
): (view: Uint8Array) => number {
  try {
    koffi.address?.(new Uint8Array(new SharedArrayBuffer(8)));
    if (koffi.address !== undefined) return (view) => Number(koffi.address?.(view));
  } catch {
    // An older one, which takes pointers only.
  }
  return (view) => Number(memmove(view, view, 0));
}

/** Node's permission model does not let a package look as if it were not there. */
const DENIED = "koffi's files may not be read (see --allow-fs-read of the permission model)";

/**
 * koffi as seen from this package (its peer) or from the program that runs (for packages that are linked, or bundled to a
 * place of their own). Not from the current folder, nor from a file that a program was told of: it must not load native
 * code because of where it was started, or what on. Throws what koffi throws when it loads.
 */
function loadKoffi({ globals, moduleUrl }: Host): Koffi | "denied" | undefined {
  const modules = builtin<NodeModule>(globals, "node:module");
  if (modules === undefined) return undefined;
  let denied = false;
  for (const from of [moduleUrl, programOf(globals)]) {
    if (from === undefined || from === "") continue;
    let require: Require;
    let path: string;
    try {
      require = modules.createRequire(from);
      path = require.resolve("koffi");
    } catch (error) {
      // Not installed there, or `from` is no file.
      denied ||= isDenial(error);
      continue;
    }
    try {
      return require(path) as Koffi;
    } catch (error) {
      if (!isDenial(error)) throw error;
      denied = true;
    }
  }
  return denied ? "denied" : undefined;
}

const isDenial = (error: unknown): boolean =>
  (error as { readonly code?: unknown } | null)?.code === "ERR_ACCESS_DENIED";
