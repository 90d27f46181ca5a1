/** How much of what a close released the process's resident memory fell by. A guess: other threads allocate and free too. */

/**
 * Percent: negative where memory grew, above 100 where other memory was freed as well. Null where nothing was released,
 * or memory was not measured (0) before or after.
 */
export function cooperationPct(rssBefore: number, rssAfter: number, releasedBytes: number): number | null {
  if (rssBefore <= 0 || rssAfter <= 0 || releasedBytes <= 0) return null;
  return ((rssBefore - rssAfter) * 100) / releasedBytes;
}
