// Waits for word 0 to leave 0, or changes it, as its workerData says. Word 1 counts who has got as far as waiting.
import { parentPort, workerData } from "node:worker_threads";

const { buffer, role, delayMs = 0, timeoutMs, layer } = workerData;
const { waitAsync, waitBlocking, wake } = await import(layer);
const m = new Int32Array(buffer);
const arrive = () => {
  Atomics.add(m, 1, 1);
  Atomics.notify(m, 1);
};

if (role === "block") {
  arrive();
  parentPort.postMessage(waitBlocking(m, 0, 0, timeoutMs));
} else if (role === "await") {
  const waiting = waitAsync(m, 0, 0, { timeoutMs });
  arrive();
  parentPort.postMessage(await waiting);
} else if (role === "await and forget") {
  // Nothing else keeps this thread alive; the wait must.
  waitAsync(m, 0, 0, { timeoutMs }).then((differs) => parentPort.postMessage(differs));
  arrive();
} else {
  Atomics.wait(m, 2, 0, delayMs);
  Atomics.store(m, 0, 1);
  wake(m, 0);
}
