/** Ctrl-C, as a command that runs for a while wants it. */

/** What ends a program that is asked to end. */
export const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Aborts `signal` at the first interrupt, so that the command can end in order. A second one finds no handler and ends the
 * process at once. `off` takes the handlers back.
 */
export interface Interrupt {
  readonly signal: AbortSignal;
  off(): void;
}

export function catchInterrupt(): Interrupt {
  const controller = new AbortController();
  const off = (): void => {
    for (const name of SIGNALS) process.off(name, onSignal);
  };
  const onSignal = (): void => {
    off();
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return { signal: controller.signal, off };
}

/** Resolves after `ms`, or at once when `signal` aborts; true when it was the time. Never rejects. */
export function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(false);
    const end = (): void => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", end);
      resolve(true);
    }, ms);
    signal.addEventListener("abort", end, { once: true });
    return undefined;
  });
}
