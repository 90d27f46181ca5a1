/** The few things the core asks of its runtime, each found without importing a runtime's module. */

interface TimerLike {
  unref?(): unknown;
}

interface RuntimeGlobals {
  process?: {
    getBuiltinModule?(name: string): unknown;
  };
  Deno?: { unrefTimer?(id: number): void };
}

const globals = globalThis as RuntimeGlobals;

/** Thread id of the running thread (0 is the main thread), or -1 where the runtime has none. */
export function currentThreadId(): number {
  try {
    const threads = globals.process?.getBuiltinModule?.("worker_threads") as
      | { threadId?: unknown }
      | undefined;
    return typeof threads?.threadId === "number" ? threads.threadId : -1;
  } catch {
    return -1;
  }
}

/** Calls `work` in the asynchronous context of this module's loading, where the runtime has such contexts. */
const outOfContext: (work: () => unknown) => unknown = (() => {
  try {
    const hooks = globals.process?.getBuiltinModule?.("async_hooks") as
      | { AsyncLocalStorage?: { snapshot?(): (work: () => unknown) => unknown } }
      | undefined;
    return hooks?.AsyncLocalStorage?.snapshot?.() ?? ((work) => work());
  } catch {
    return (work) => work();
  }
})();

/**
 * Calls `tick` every `intervalMs` without keeping the process alive; returns how to stop it. The timer would keep whatever
 * belongs to the context it is started in: a heap attached by a request must not hold that request.
 */
export function startUnrefTimer(tick: () => void, intervalMs: number): () => void {
  const timer: unknown = outOfContext(() => setInterval(tick, intervalMs));
  if (typeof timer === "number") globals.Deno?.unrefTimer?.(timer);
  else (timer as TimerLike).unref?.();
  return () => clearInterval(timer as Parameters<typeof clearInterval>[0]);
}

/** Names this thread in its seat: by thread id where there is one, else by the ref it was given. */
export function threadTag(token: number): number {
  const id = currentThreadId();
  return id >= 0 ? id + 1 : -token;
}
