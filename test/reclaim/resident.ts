/** What of a buffer is resident, as the kernel counts it. Linux only. */
import { closeSync, openSync, readSync } from "node:fs";
import { createRequire } from "node:module";

export interface TestKoffi {
  load(path: null): {
    func(name: string, result: string, parameters: readonly string[]): (...args: unknown[]) => number;
  };
  address(view: Uint8Array): bigint;
}

export const koffi = createRequire(import.meta.url)("koffi") as TestKoffi;

export const addressOf = (buffer: SharedArrayBuffer): number => Number(koffi.address(new Uint8Array(buffer)));

/** Resident bytes of the whole pages of a buffer: bit 63 of each page's entry in the kernel's page map. */
export function residentBytes(buffer: SharedArrayBuffer, page = 4096): number {
  const base = addressOf(buffer);
  const first = Math.ceil(base / page);
  const pages = Math.floor((base + buffer.byteLength) / page) - first;
  const entries = Buffer.alloc(pages * 8);
  const file = openSync("/proc/self/pagemap", "r");
  try {
    for (let read = 0; read < entries.length; ) {
      const got = readSync(file, entries, read, entries.length - read, first * 8 + read);
      if (got === 0) throw new Error("the page map ended early");
      read += got;
    }
  } finally {
    closeSync(file);
  }
  let resident = 0;
  for (let i = 0; i < pages; i++) if ((entries.readUInt8(i * 8 + 7) & 0x80) !== 0) resident += page;
  return resident;
}
