/** Ends of axes and shades of cells: steps that rarely change, so that the picture stays calm. */

/** The least of 1, 2, 4, 6, 8 x 10^n that is at least `max` and `floor`: a quarter of it is a short number. */
export function niceMax(max: number, floor: number): number {
  const wanted = Math.max(max, floor);
  const power = 10 ** Math.floor(Math.log10(wanted));
  for (const step of [1, 2, 4, 6, 8, 10]) {
    // 1e-9: 0.1 + 0.2 must not ask for the next step.
    if (step * power >= wanted * (1 - 1e-9)) return step * power;
  }
  return 10 * power;
}

/** The least of 1, 1.5 x 2^n that is at least `max` and `floor`. */
export function niceMaxBytes(max: number, floor: number): number {
  const wanted = Math.max(max, floor);
  const power = 2 ** Math.floor(Math.log2(wanted));
  if (power >= wanted) return power;
  return power * 1.5 >= wanted ? power * 1.5 : power * 2;
}

/** Zero and the four quarters of `max`. */
export const quarters = (max: number): number[] => [0, 0.25, 0.5, 0.75, 1].map((part) => part * max);

/** Shades of the heat map; 0 is kept for nothing at all. */
export const SHADES = 6;

/** 0 for nothing, else 1 to 5 by the logarithm of `value` up to `max`: few slabs must be seen beside many. */
export function shade(value: number, max: number): number {
  if (value <= 0) return 0;
  if (max <= 1) return SHADES - 1;
  const part = Math.log(1 + value) / Math.log(1 + max);
  return Math.min(SHADES - 1, Math.max(1, Math.ceil(part * (SHADES - 1))));
}
