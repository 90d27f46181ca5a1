/** Milliseconds to wait before attempt number `failures` + 1: 1 s, doubled each time up to 15 s, a quarter more or less
 * by `chance` (0 to 1), so that pages do not come back all at once. */
export function pauseBefore(failures: number, chance: number): number {
  const pause = Math.min(15_000, 1000 * 2 ** Math.min(10, Math.max(0, failures - 1)));
  return Math.round(pause * (0.75 + chance / 2));
}
