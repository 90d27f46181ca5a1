/**
 * Defends: a wait ends when the word differs, at its timeout or on abort, and for no other reason; it keeps its thread
 * alive meanwhile and leaves no timer, listener or waiter of the engine behind; it needs no notification to end, and does
 * not wait for its next look where one comes.
 * Method: real threads that wait and wake in every combination; fake timers to tell a notification from a look; engines
 * without Atomics.waitAsync, and ones that lose every notification, put in its place; child processes for what stays alive.
 */
import { execFile } from "node:child_process";
import { once, setMaxListeners } from "node:events";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { bundleProgram } from "../../scripts/bundle-program.mjs";
import { checkWaitOptions, RECHECK_MS, waitAsync, waitBlocking, wake } from "../../src/threads/index.js";

const words = (): Int32Array => new Int32Array(new SharedArrayBuffer(64));
const start = (m: Int32Array, role: string, more: object = {}): Worker =>
  new Worker(new URL("./workers/wait.mjs", import.meta.url), {
    workerData: { buffer: m.buffer, role, layer, ...more },
  });

/** The layer as one module that threads and processes can load: no entry point of the package exports it. */
let layer = "";
beforeAll(async () => {
  layer = pathToFileURL(await bundleProgram("src/threads/index.ts", "threads-layer")).href;
});

/** Until that many threads are about to wait. */
async function arrived(m: Int32Array, count: number): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (let seen = 0; seen < count; seen = Atomics.load(m, 1)) {
    await waitAsync(m, 1, seen, { timeoutMs: 100 });
    if (Date.now() > deadline) throw new Error(`${seen} of ${count} threads got as far as waiting`);
  }
}

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Engine's waiters of a word, which is notified by counting. */
const waiters = (m: Int32Array, i: number): number => Atomics.notify(m, i);

describe("real threads", () => {
  test.each(["block", "await", "await and forget"])("%s: woken by another thread", async (role) => {
    const m = words();
    const worker = start(m, role);
    const message = once(worker, "message");
    const exit = once(worker, "exit");
    await arrived(m, 1);
    Atomics.store(m, 0, 1);
    wake(m, 0);
    expect(await message).toEqual([true]);
    expect(await exit).toEqual([0]);
  });

  test.each(["block", "await", "await and forget"])("%s: gives up at its timeout, and ends", async (role) => {
    const m = words();
    const worker = start(m, role, { timeoutMs: 20 });
    const exit = once(worker, "exit");
    expect(await once(worker, "message")).toEqual([false]);
    expect(await exit).toEqual([0]);
  });

  test("one wake reaches everybody, those that died while they waited included", async () => {
    const m = words();
    const [dead, ...living] = [start(m, "await"), start(m, "await"), start(m, "block")] as [
      Worker,
      ...Worker[],
    ];
    await arrived(m, 3);
    await dead.terminate();
    const messages = Promise.all(living.map((worker) => once(worker, "message")));
    Atomics.store(m, 0, 1);
    wake(m, 0);
    expect(await messages).toEqual([[true], [true]]);
  });

  test("the waker's notification reaches an idle event loop, and a blocked thread's wake the awaiting one", async () => {
    const m = words();
    const waiting = waitAsync(m, 0, 0);
    start(m, "wake", { delayMs: 30 });
    expect(await waiting).toBe(true);
    const n = words();
    start(n, "wake", { delayMs: 30 });
    expect(waitBlocking(n, 0, 0, 60_000)).toBe(true);
  });
});

describe("waitBlocking", () => {
  test("a word that differs is not waited for; a timeout of 0 only looks", () => {
    const m = words();
    expect(waitBlocking(m, 0, 1)).toBe(true);
    expect(waitBlocking(m, 0, 0, 0)).toBe(false);
    expect(waitBlocking(m, 0, 0, 5)).toBe(false);
  });

  test("where the thread must not block, the error names what to await", () => {
    vi.spyOn(Atomics, "wait").mockImplementation(() => {
      throw new TypeError("Atomics.wait cannot be called in this context");
    });
    expect(() => waitBlocking(words(), 0, 0, 5, "receiveAsync")).toThrow(
      expect.objectContaining({
        code: "ERR_TSLAB_INVALID_TYPE",
        message: expect.stringContaining("await receiveAsync()"),
      }),
    );
  });
});

describe("waitAsync", () => {
  test("a word that differs is not waited for; a timeout of 0 only looks", async () => {
    const m = words();
    expect(await waitAsync(m, 0, 1)).toBe(true);
    expect(await waitAsync(m, 0, 0, { timeoutMs: 0 })).toBe(false);
    expect(waiters(m, 0)).toBe(0);
  });

  test("a notification ends it without any look of its own", async () => {
    vi.useFakeTimers();
    const m = words();
    const waiting = waitAsync(m, 0, 0, { timeoutMs: 60_000 });
    Atomics.store(m, 0, 1);
    expect(wake(m, 0)).toBe(1);
    // No timer ever fires here.
    expect(await waiting).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a notification without a change does not", async () => {
    const m = words();
    const waiting = waitAsync(m, 0, 0, { timeoutMs: 60 });
    wake(m, 0);
    expect(await waiting).toBe(false);
  });

  test.each(["no Atomics.waitAsync", "notifications that never come"])(
    "%s: it looks by itself",
    async (engine) => {
      if (engine === "no Atomics.waitAsync")
        vi.spyOn(Atomics, "waitAsync").mockReturnValue(undefined as never);
      const real = Atomics.waitAsync;
      (Atomics as { waitAsync?: unknown }).waitAsync =
        engine === "no Atomics.waitAsync" ? undefined : () => ({ async: true, value: new Promise(() => {}) });
      try {
        const m = words();
        const waiting = waitAsync(m, 0, 0);
        setTimeout(() => Atomics.store(m, 0, 1), 2 * RECHECK_MS);
        expect(await waiting).toBe(true);
        expect(await waitAsync(m, 0, 1, { timeoutMs: 10 })).toBe(false);
      } finally {
        Atomics.waitAsync = real;
      }
    },
  );

  test("abort rejects with the reason, before and during the wait, and leaves nothing behind", async () => {
    vi.useFakeTimers();
    const m = words();
    const reason = new Error("enough");
    await expect(waitAsync(m, 0, 0, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const { signal } = controller;
    const add = vi.spyOn(signal, "addEventListener");
    const remove = vi.spyOn(signal, "removeEventListener");
    const waiting = waitAsync(m, 0, 0, { signal });
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(remove.mock.calls).toEqual(add.mock.calls.map(([type, listener]) => [type, listener]));
    expect(vi.getTimerCount()).toBe(0);
    expect(waiters(m, 0), "waiters left in the engine").toBe(0);
  });

  test("listeners go with every way to end, and a thousand waits leave no waiter", async () => {
    const m = words();
    const { signal } = new AbortController();
    setMaxListeners(0, signal);
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    vi.spyOn(signal, "addEventListener").mockImplementation((...args) => {
      listeners++;
      add(...(args as Parameters<typeof add>));
    });
    vi.spyOn(signal, "removeEventListener").mockImplementation((...args) => {
      listeners--;
      remove(...(args as Parameters<typeof remove>));
    });
    const all = Array.from({ length: 1000 }, (_, i) =>
      waitAsync(m, 0, 0, { signal, timeoutMs: 1 + (i % 7) }),
    );
    expect(new Set(await Promise.all(all))).toEqual(new Set([false]));
    const woken = waitAsync(m, 0, 0, { signal });
    Atomics.store(m, 0, 1);
    wake(m, 0);
    expect(await woken).toBe(true);
    expect(listeners).toBe(0);
    expect(waiters(m, 0)).toBe(0);
  });

  test("who gives up does not end the wait of another", async () => {
    const m = words();
    const patient = waitAsync(m, 0, 0);
    expect(await waitAsync(m, 0, 0, { timeoutMs: 5 })).toBe(false);
    const order: string[] = [];
    const ended = patient.then(() => order.push("patient"));
    await new Promise((resolve) => setTimeout(resolve, 5));
    order.push("still waiting");
    Atomics.store(m, 0, 1);
    wake(m, 0);
    await ended;
    expect(order).toEqual(["still waiting", "patient"]);
  });
});

describe("the process", () => {
  const run = promisify(execFile);
  const script = (body: string): Promise<{ stdout: string }> =>
    run(process.execPath, [
      "--input-type=module",
      "-e",
      `import { waitAsync, wake } from ${JSON.stringify(layer)};
       const m = new Int32Array(new SharedArrayBuffer(64));
       process.on("exit", (code) => console.log("exit", code));
       ${body}`,
    ]);

  test("lives while somebody waits, and ends when nobody does", async () => {
    const { stdout } = await script(`
      console.log(await waitAsync(m, 0, 0, { timeoutMs: 200 }));
      const abort = new AbortController();
      const waiting = waitAsync(m, 0, 0, { signal: abort.signal });
      setTimeout(() => abort.abort("over"), 20);
      await waiting.catch((reason) => console.log(reason));
      const woken = waitAsync(m, 0, 0);
      setTimeout(() => { m[0] = 1; wake(m, 0); }, 20);
      console.log(await woken);`);
    expect(stdout.trim().split("\n")).toEqual(["false", "over", "true", "exit 0"]);
  });
});

describe("options", () => {
  test.each<[unknown, string, RegExp]>([
    [7, "ERR_TSLAB_INVALID_TYPE", /receive: options must be an object; got 7/],
    [null, "ERR_TSLAB_INVALID_TYPE", /options must be an object; got null/],
    [{ timeout: 5 }, "ERR_TSLAB_INVALID_TYPE", /unknown option "timeout"; known are timeoutMs, signal/],
    [{ timeoutMs: "5" }, "ERR_TSLAB_INVALID_TYPE", /"timeoutMs" must be a number of milliseconds.*got "5"/],
    [{ timeoutMs: -1 }, "ERR_TSLAB_OUT_OF_RANGE", /"timeoutMs" must be 0 or more.*got -1/],
    [{ timeoutMs: Number.NaN }, "ERR_TSLAB_OUT_OF_RANGE", /got NaN/],
    [{ signal: {} }, "ERR_TSLAB_INVALID_TYPE", /"signal" must be an AbortSignal; got an object/],
  ])("%j is refused", (options, code, message) => {
    expect(() => checkWaitOptions("receive", options)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  test("a blocking method takes no signal", () => {
    const { signal } = new AbortController();
    expect(checkWaitOptions("receive", { signal, timeoutMs: 3 })).toEqual({ signal, timeoutMs: 3 });
    expect(() => checkWaitOptions("receive", { signal }, ["timeoutMs"])).toThrow(/known are timeoutMs/);
    expect(checkWaitOptions("receive", undefined)).toEqual({});
  });
});
