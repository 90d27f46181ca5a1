// The other thread of threads.test.ts: answers what it reads, writes what it is told, or writes without end.
import { parentPort, workerData } from "node:worker_threads";
import { SlabHeap } from "temporal-slab";
import { allocText, defineRecord, readText, writeText } from "temporal-slab/data";

const heap = SlabHeap.attach(workerData.ref);
const control = new Int32Array(workerData.control);
const Entry = defineRecord(workerData.definition);

const jobs = {
  /** Reads texts and records of the other thread, gives back what they hold, and changes the records. */
  read({ texts, records }) {
    const entry = Entry.at(heap, records[0]);
    return {
      texts: texts.map((handle) => readText(heap, handle)),
      records: records.map((handle) => {
        entry.moveTo(handle);
        const { count, weight, name, live } = entry;
        entry.count += 1;
        entry.name = `seen ${count}`;
        entry.live = !live;
        entry.place.set(1, entry.place.get(0) * 2);
        return { count, weight, name, live, place: Array.from(entry.place.view()) };
      }),
    };
  },
  /** Texts made here, for the other thread to read and free. */
  make({ texts }) {
    return texts.map((text) => allocText(heap, text));
  },
  /** Writes longer and longer beginnings of `text` into one object. */
  grow({ handle, text, turns }) {
    for (let turn = 0; turn < turns; turn++) {
      writeText(heap, handle, "");
      for (let length = 1; length <= text.length; length++) writeText(heap, handle, text.slice(0, length));
    }
    return "grown";
  },
  /** Writes texts over one another until the other thread says stop, or for ever. */
  overwrite({ handle, texts }) {
    for (let i = 0; Atomics.load(control, 0) !== 2; i++) {
      writeText(heap, handle, texts[i % texts.length]);
      if (i === 1000) {
        Atomics.store(control, 0, 1);
        Atomics.notify(control, 0);
      }
    }
    return "stopped";
  },
};

parentPort.on("message", ({ job, ...rest }) => parentPort.postMessage(jobs[job](rest)));
