// What Node, Deno, Bun and browsers all have besides the language: the only globals the core may name.
// Only tsconfig.core.json includes this file; everything else is checked against Node's own types.

declare class TextEncoder {
  encode(input?: string): Uint8Array;
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number };
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(input?: ArrayBuffer | ArrayBufferView): string;
}

/** Browsers answer a number, the others an object with `unref()`. */
type TimerId = number | { unref?(): unknown };

declare function setTimeout(callback: () => void, delayMs?: number): TimerId;
declare function clearTimeout(timer: TimerId | undefined): void;
declare function setInterval(callback: () => void, delayMs?: number): TimerId;
declare function clearInterval(timer: TimerId | undefined): void;
declare function queueMicrotask(callback: () => void): void;

declare const performance: { now(): number; readonly timeOrigin: number };
