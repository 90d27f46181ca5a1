/** The heaps this thread holds a seat in, by heap and seat. */
import type { Attachment } from "../memory/attachment.js";
import { heapKey } from "../memory/views.js";
import { endInterception } from "./intercept.js";

const held = new Map<string, Set<Attachment>>();

export function noteHeld(a: Attachment): void {
  const key = heapKey(a.m);
  const set = held.get(key) ?? new Set<Attachment>();
  set.add(a);
  held.set(key, set);
}

/** Called whichever way a seat is let go: detached, lost to a reaper, or its heap object forgotten. */
export function noteReleased(a: Attachment): void {
  endInterception(a);
  const key = heapKey(a.m);
  const set = held.get(key);
  set?.delete(a);
  if (set?.size === 0) held.delete(key);
}

/** Seats this thread holds in the heap with these header words. */
export function heldSeats(m: Int32Array): readonly Attachment[] {
  return [...(held.get(heapKey(m)) ?? [])].filter((a) => !a.detached);
}
