// Faults for the canaries in soak.test.ts: what a sound heap never does, and a checker must notice. A thread plants its
// fault when it has been told to leave, so that its own checks come after it.

/** A kept object that nobody may discard. */
function victim(c) {
  const { heap, objects } = c;
  while (heap.currentEpoch.era % 4 === 3) heap.advanceEpoch();
  const object = objects.alloc(heap, 64);
  objects.kept.push(object);
  return object;
}

export const PLANTED = {
  /** Somebody writes where he should not. */
  damage(c) {
    const { offset, bytes } = victim(c);
    c.heap.u8[offset + (bytes >> 1)] ^= 0x10;
  },
  /** Somebody frees what is not his. */
  lose(c) {
    if (c.heap.free(victim(c).handle)) c.row.add("frees");
  },
  /** A handle is lost. */
  leak(c) {
    victim(c);
    c.objects.kept.pop();
  },
  /** A thread does not come back. */
  stall() {
    for (;;);
  },
  /** An error nobody catches. */
  throw() {
    setImmediate(() => {
      throw new Error("planted");
    });
  },
};
