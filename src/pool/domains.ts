/** Buffers that end with a domain: one deferred callback per domain, and a list that shrinks with every release. */
import type { Handle, SlabHeap } from "../allocator/index.js";
import { type BufferGroup, joinGroup, type PooledBuffer } from "./pooled-buffer.js";

/** What a pool needs of a domain; `EpochDomain` and the domains of `temporal-slab/async` have it. */
export interface Scope {
  /**
   * The heap it allocates from, by the attachment of the thread that uses it. A pool refuses domains of another one; a
   * domain that does not say is taken at its word, and its buffers' views are made anew each time.
   */
  readonly heap?: SlabHeap | undefined;
  /** Allocates exactly `size` bytes, as `heap.alloc` does; NULL_HANDLE when it cannot. */
  alloc(size: number): Handle;
  /** Has `callback` called once, when the domain ends. */
  defer(callback: () => void): void;
}

export class DomainBuffers {
  private readonly groups = new WeakMap<Scope, BufferGroup>();
  /** The domain asked for last, which is nearly always the one asked for next. */
  private lastScope: Scope | undefined;
  private lastGroup: BufferGroup | undefined;

  /** Has `buffer` released when `scope` ends. Throws what `scope.defer` throws, and nothing has changed then. */
  add(buffer: PooledBuffer, scope: Scope): void {
    const group = scope === this.lastScope ? this.lastGroup : this.groups.get(scope);
    joinGroup(buffer, group ?? this.begin(scope));
    if (group === undefined || scope === this.lastScope) return;
    this.lastScope = scope;
    this.lastGroup = group;
  }

  private begin(scope: Scope): BufferGroup {
    const group: BufferGroup = { first: undefined };
    scope.defer(() => this.end(scope, group));
    this.groups.set(scope, group);
    this.lastScope = scope;
    this.lastGroup = group;
    return group;
  }

  private end(scope: Scope, group: BufferGroup): void {
    // First: a domain may be entered again, and has to be asked again to call us.
    this.groups.delete(scope);
    if (this.lastScope === scope) {
      this.lastScope = undefined;
      this.lastGroup = undefined;
    }
    for (let buffer = group.first; buffer !== undefined; buffer = group.first) buffer.release();
  }
}
