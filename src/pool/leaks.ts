/** Debug mode: who lost a buffer, and where it had been acquired. Warns and never frees: somebody may still use the bytes. */
import type { EpochRef, Handle } from "../allocator/index.js";
import type { PooledBuffer } from "./pooled-buffer.js";

/** A buffer that nobody can release any more, because nobody has it. */
export interface LeakReport {
  /** The pool's label. */
  readonly label: string;
  readonly handle: Handle;
  readonly byteLength: number;
  /** The epoch it was allocated in; discarding that frees it. */
  readonly epoch: EpochRef;
  /** Milliseconds from acquiring it until its loss was noticed. */
  readonly ageMs: number;
  /** Where it was acquired, one frame per line; "" where the runtime does not tell. */
  readonly stack: string;
  /** All of it in a sentence. */
  readonly message: string;
}

/** Options of debug mode. */
export interface DebugOptions {
  /** Called for every lost buffer, instead of the warning (`process.emitWarning`, or `console.warn`). */
  onLeak?(report: LeakReport): void;
}

/** Released bytes are overwritten with this in debug mode. */
export const RELEASED_FILL = 0xdb;

/** What is known of a buffer after it is gone: must not lead to it. */
interface Acquired extends Omit<LeakReport, "ageMs" | "message"> {
  readonly watch: LeakWatch;
  readonly at: number;
}

/**
 * One registry for all pools of the thread: that of a pool which is dropped together with its buffers would be collected
 * with them and never say so.
 */
let registry: FinalizationRegistry<Acquired> | undefined;

/** Watches the buffers of one pool. */
export class LeakWatch {
  /** Buffers found lost. */
  leaked = 0;
  private readonly label: string;
  private readonly onLeak: (report: LeakReport) => void;
  /** Who keeps only the bytes has not lost the buffer: its bytes keep it. */
  private readonly bufferOf = new WeakMap<Uint8Array, PooledBuffer>();

  constructor(label: string, { onLeak }: DebugOptions) {
    this.label = label;
    this.onLeak = onLeak ?? warn;
  }

  /** Where the caller of `method` is. */
  origin(method: (...args: never[]) => unknown): string {
    const holder: { stack?: string } = {};
    const { captureStackTrace: capture } = Error as {
      captureStackTrace?: (holder: object, above: unknown) => void;
    };
    if (capture === undefined) return new Error("acquired").stack ?? "";
    capture(holder, method);
    return (holder.stack ?? "").split("\n").slice(1).join("\n");
  }

  add(buffer: PooledBuffer, bytes: Uint8Array, epoch: EpochRef, stack: string): void {
    registry ??= new FinalizationRegistry((acquired) => acquired.watch.report(acquired));
    this.bufferOf.set(bytes, buffer);
    const { handle, byteLength } = buffer;
    const { label } = this;
    const at = performance.now();
    registry.register(buffer, { watch: this, label, handle, byteLength, epoch, stack, at }, buffer);
  }

  /** The buffer was released or detached. */
  remove(buffer: PooledBuffer): void {
    registry?.unregister(buffer);
  }

  private report({ label, handle, byteLength, epoch, stack, at }: Acquired): void {
    this.leaked++;
    const ageMs = performance.now() - at;
    const message = `Buffer of ${byteLength} bytes from pool ${JSON.stringify(label)} was lost without release() after ${(ageMs / 1000).toFixed(1)} s (handle ${handle}, epoch ${epoch.id}, era ${epoch.era}): it stays allocated until its epoch is discarded.`;
    this.onLeak({ label, handle, byteLength, epoch, ageMs, stack, message });
  }
}

/** As a warning of the runtime, where it has such; on the console otherwise. */
function warn({ message, stack }: LeakReport): void {
  const host = globalThis as {
    process?: { emitWarning?(message: string, options: object): void };
    console?: { warn?(...args: string[]): void };
  };
  if (typeof host.process?.emitWarning === "function") {
    const detail = `Acquired\n${stack}`;
    host.process.emitWarning(message, { type: "BufferLeakWarning", code: "TSLAB_BUFFER_LEAK", detail });
  } else {
    host.console?.warn?.(`${message} Acquired\n${stack}`);
  }
}
