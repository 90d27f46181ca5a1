/** A service whose stats a test decides: an HTTP server that answers with the document it was given last. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type StatsDocument, stringifyStats } from "../../../src/stats/index.js";
import {
  classRow,
  documentWith,
  epochRow,
  eraRow,
  heapRow,
  NOW_NS,
  SLAB,
} from "../../stats/diagnostics/builder.js";

export class Service {
  readonly #server: Server;
  /** Undefined: it answers 503; "never": it does not answer. */
  document: StatsDocument | "never" | undefined;
  /** Documents asked for so far. */
  asked = 0;
  /** Called before each answer. */
  onAsked: () => void = () => {};

  static async start(document: StatsDocument): Promise<Service> {
    const service = new Service(document);
    await new Promise<void>((resolve) => service.#server.listen(0, "127.0.0.1", resolve));
    return service;
  }

  private constructor(document: StatsDocument) {
    this.document = document;
    this.#server = createServer((_, response) => {
      this.asked++;
      this.onAsked();
      if (this.document === "never") return;
      if (this.document === undefined) response.writeHead(503, "Restarting").end();
      else response.setHeader("content-type", "application/json").end(stringifyStats(this.document));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A heap after `second` seconds in which it allocates 1000 objects a second, every 20th on the slow path. */
export function heapAt(second: number, id = "heap-1"): StatsDocument {
  const allocs = 1000 * second;
  const slow = allocs / 20;
  return documentWith({
    timestamp_ns: NOW_NS + BigInt(second) * 1_000_000_000n,
    pid: 4242,
    current_epoch: 3,
    active_epoch_count: 1,
    closing_epoch_count: 2,
    net_slabs: 20 + second,
    rss_bytes_current: 100 * 1024 * 1024,
    total_slow_path_hits: slow,
    total_slow_cache_miss: second,
    total_bitmap_alloc_attempts: allocs,
    classes: [64, 128].map((object_size, class_index) =>
      classRow({
        class_index,
        object_size,
        // The second class takes over after ten seconds.
        slow_path_hits: class_index === 0 ? Math.min(slow, 500) : Math.max(0, slow - 500),
        bitmap_alloc_attempts: allocs / 2,
        current_partial_full: slow / 2,
        remote_free_count: 5 * second,
        epoch_close_scanned_slabs: 10 * second,
        epoch_close_recycled_slabs: 8 * second,
      }),
    ),
    heap: heapRow({
      id,
      created_timestamp_ns: NOW_NS,
      alloc_count: allocs,
      free_count: allocs - 500,
      live_objects: 500,
      live_bytes: 64_000,
      committed_bytes: (20 + second) * SLAB,
      attached_workers: 2,
    }),
    epochs: [
      epochRow({ epoch_id: 3, epoch_era: 19, state: "ACTIVE", age_sec: second, label: "GET /users" }),
      epochRow({
        epoch_id: 5,
        epoch_era: 5,
        age_sec: 300,
        refcount: 2,
        label: "background-worker-3",
        eras: [eraRow({ epoch_era: 5, total_full_slabs: 3, live_objects: 90 })],
      }),
    ],
  });
}
