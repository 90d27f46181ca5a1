/** Which domain asynchronous work is in. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { SlabHeap } from "../allocator/index.js";
import type { AsyncDomain } from "./domain.js";

/** The innermost domain; the ones around it, of whichever heap, hang on it by `enclosing`. */
const storage = new AsyncLocalStorage<AsyncDomain | undefined>();

/** Calls `work(domain)` with `domain` as the innermost one, there and in everything that it starts. */
export function within<T>(domain: AsyncDomain, work: (domain: AsyncDomain) => T): T {
  domain.enclosing = live(storage.getStore());
  return storage.run(domain, work, domain);
}

/** Calls `work` outside of all domains: what it starts keeps none of them alive. */
export function outside<T>(work: () => T): T {
  return storage.run(undefined, work);
}

/** The innermost domain of `heap` that has not ended. */
export function innermost(heap: SlabHeap): AsyncDomain | undefined {
  let domain = live(storage.getStore());
  while (domain !== undefined && domain.heap !== heap) domain = domain.enclosing;
  return domain;
}

/**
 * The first domain from `domain` outwards that has not ended. Takes ended ones out of the chain on the way: work that
 * starts work, again and again, would otherwise drag all of its past along.
 */
function live(domain: AsyncDomain | undefined): AsyncDomain | undefined {
  let first = domain;
  while (first?.ended) first = first.enclosing;
  for (let inner = first; inner !== undefined; inner = inner.enclosing) {
    let outer = inner.enclosing;
    while (outer?.ended) outer = outer.enclosing;
    inner.enclosing = outer;
  }
  return first;
}
