/**
 * Defends: a heap's idle timer belongs to nobody's asynchronous context, so that a heap attached by a request does not
 * keep that request; it can be stopped.
 * Method: a timer started inside an AsyncLocalStorage; what its ticks see there.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { expect, test } from "vitest";
import { startUnrefTimer } from "../../../src/allocator/seats/runtime.js";

test("ticks are outside of the context the timer was started in, and end when it is stopped", async () => {
  const storage = new AsyncLocalStorage<string>();
  let ticks = 0;
  let stop = (): void => {};
  const seen = await new Promise<unknown>((resolve) => {
    storage.run("request", () => {
      stop = startUnrefTimer(() => {
        ticks++;
        resolve(storage.getStore());
      }, 1);
    });
    // The timer itself keeps nothing alive.
    const alive = setInterval(() => ticks > 0 && clearInterval(alive), 1);
  });
  expect(seen).toBeUndefined();
  stop();
  const after = ticks;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(ticks).toBe(after);
});
