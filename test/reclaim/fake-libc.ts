/** A system in plain objects: buffers at addresses of the test's choice, and pages that madvise drops, keeps or refuses. */
import type { Libc } from "../../src/reclaim/libc.js";

export const REUSABLE = 7;
export const REUSE = 8;

export interface Call {
  readonly address: number;
  readonly length: number;
  readonly advice: number;
}

export class FakeLibc implements Libc {
  readonly title = "fake";
  readonly keep = undefined;
  readonly pageBytes: number;
  readonly calls: Call[] = [];
  /** What the system answers and does; as Linux with MADV_DONTNEED unless replaced. */
  onAdvise: (call: Call) => number = (call) => this.drop(call.address, call.length);
  private readonly mapped: { readonly base: number; readonly buffer: SharedArrayBuffer }[] = [];

  constructor(pageBytes = 4096) {
    this.pageBytes = pageBytes;
  }

  /** Gives a buffer its address. */
  map(buffer: SharedArrayBuffer, base: number): void {
    this.mapped.push({ base, buffer });
  }

  addressOf(view: Uint8Array): number {
    const home = this.mapped.find(({ buffer }) => buffer === view.buffer);
    if (home === undefined) throw new Error("not mapped");
    return home.base + view.byteOffset;
  }

  madvise(address: number, length: number, advice: number): number {
    if (address % this.pageBytes !== 0 || length % this.pageBytes !== 0 || length <= 0) {
      throw new Error(`not whole pages: ${address}, ${length}`);
    }
    const call = { address, length, advice };
    this.calls.push(call);
    return this.onAdvise(call);
  }

  /** The bytes that lie at an address range; throws where that is not within one buffer. */
  bytes(address: number, length: number): Uint8Array {
    for (const { base, buffer } of this.mapped) {
      // A view's length: a test may have put another byteLength on the buffer.
      if (address >= base && address + length <= base + new Uint8Array(buffer).length) {
        return new Uint8Array(buffer, address - base, length);
      }
    }
    throw new Error(`[${address}, +${length}) is not within a buffer`);
  }

  drop(address: number, length: number): number {
    this.bytes(address, length).fill(0);
    return 0;
  }
}
