// How the workers of a crew join the heap: with a page releaser of their own where the test asks for it.
import { SlabHeap } from "temporal-slab";
import { createPageReleaser } from "temporal-slab/reclaim";

let pageReleaser;

export function attach({ ref, releases = false }) {
  if (!releases) return SlabHeap.attach(ref);
  // Loading koffi may not be cut short: whoever starts this worker waits for its first message after that.
  pageReleaser ??= createPageReleaser("koffi");
  return SlabHeap.attach(ref, { pageReleaser, releasePolicy: { reserveBytes: 0 } });
}
