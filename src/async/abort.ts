/** Waiting for an abort, by any number of callers per signal. */

interface Waiting {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

/**
 * One listener per signal, whoever waits: a thousand requests under one shutdown signal would each add one, and Node
 * warns of a leak from the eleventh on.
 */
const waiting = new WeakMap<AbortSignal, Waiting>();

/** A promise of what `work` comes to, or of the signal's reason if that is aborted first. Leaves no listener behind. */
export function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    else listen(signal, onAbort);
    // Also after an abort: what `work` comes to is handled here, and no unhandled rejection.
    work.then(
      (value) => {
        resolve(value);
        unlisten(signal, onAbort);
      },
      (error) => {
        reject(error);
        unlisten(signal, onAbort);
      },
    );
  });
}

function listen(signal: AbortSignal, callback: () => void): void {
  const present = waiting.get(signal);
  if (present !== undefined) {
    present.callbacks.add(callback);
    return;
  }
  const callbacks = new Set([callback]);
  const listener = (): void => {
    stopListening(signal, listener);
    for (const tell of callbacks) tell();
  };
  waiting.set(signal, { callbacks, listener });
  signal.addEventListener("abort", listener);
}

function unlisten(signal: AbortSignal, callback: () => void): void {
  const present = waiting.get(signal);
  if (present === undefined) return;
  present.callbacks.delete(callback);
  if (present.callbacks.size === 0) stopListening(signal, present.listener);
}

function stopListening(signal: AbortSignal, listener: () => void): void {
  waiting.delete(signal);
  signal.removeEventListener("abort", listener);
}
