// Which runtime is this really? Deno and Bun both imitate Node, so ask for their own globals first.

export function runtime() {
  if (globalThis.Deno !== undefined) return { name: "deno", version: globalThis.Deno.version.deno };
  if (globalThis.Bun !== undefined) return { name: "bun", version: globalThis.Bun.version };
  return { name: "node", version: process.versions.node };
}

export function check(condition, what) {
  if (!condition) throw new Error(`smoke check failed: ${what}`);
}

/** Writes a pattern only `stamp` could have made into the whole object. */
export function fill(heap, handle, stamp) {
  const bytes = heap.view(handle);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (stamp + i * 7) & 0xff;
}

export function holds(heap, handle, stamp) {
  const bytes = heap.view(handle);
  return bytes.every((byte, i) => byte === ((stamp + i * 7) & 0xff));
}
