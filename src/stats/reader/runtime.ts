/** What the document says about the process, asked of the runtime without importing a runtime's module. */

interface RuntimeGlobals {
  process?: { pid?: number; memoryUsage?: { rss?(): number } };
}

const globals = globalThis as RuntimeGlobals;

/** Process id, 0 where there is none. */
export function processId(): number {
  const pid = globals.process?.pid;
  return typeof pid === "number" && Number.isInteger(pid) && pid > 0 ? pid : 0;
}

/** No runtime tells the page size; the platforms our runtimes run on use 4 KiB but for some ARM systems. */
export function osPageBytes(): number {
  return 4096;
}

/** Nanoseconds since 1970, with the resolution of the runtime's clock. */
export function unixNs(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}
