/** What the process says of itself, asked without importing a runtime's module. */

interface ProcessGlobals {
  process?: {
    memoryUsage?: { rss?(): number };
    threadCpuUsage?(): { user: number; system: number };
  };
}

const globals = globalThis as ProcessGlobals;

/** Resident bytes of the process, 0 where the runtime cannot tell. Takes some 8 us. */
export function processRssBytes(): number {
  try {
    return globals.process?.memoryUsage?.rss?.() ?? 0;
  } catch {
    return 0;
  }
}

/** Processor time of this thread in nanoseconds, -1 where the runtime cannot tell (Node before 23.9). */
export function threadCpuNs(): number {
  const usage = globals.process?.threadCpuUsage?.();
  return usage === undefined ? -1 : (usage.user + usage.system) * 1000;
}
