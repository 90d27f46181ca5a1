/** The geometry of the ring: clockwise from the top, in units of its own, 360 across. */

export const SIZE = 360;
const CENTRE = SIZE / 2;

export interface Band {
  readonly inner: number;
  readonly outer: number;
}

/** Radii of what is drawn, from the outside in. */
export const BANDS = {
  /** Marks of leaks. */
  mark: { inner: 160, outer: 178 },
  /** The arc at the open epoch. */
  current: { inner: 157, outer: 162 },
  /** The cell itself. */
  cell: { inner: 112, outer: 153 },
  /** Memory, growing inwards. */
  memory: { inner: 78, outer: 107 },
} as const satisfies Record<string, Band>;

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** At `radius`, in the middle of cell `index` of `count`. */
export function middle(index: number, count: number, radius: number): Point {
  return at(radius, (2 * Math.PI * index) / count);
}

/**
 * Outline of cell `index` of `count` in `band`, `gap` units from its neighbours at every radius. One cell alone is
 * nearly a whole ring.
 */
export function segment(index: number, count: number, band: Band, gap: number): string {
  const half = Math.PI / count;
  const from = (2 * Math.PI * index) / count - half;
  const to = from + 2 * half;
  const large = 2 * half > Math.PI ? 1 : 0;
  const outerGap = gap / 2 / band.outer;
  const innerGap = gap / 2 / band.inner;
  const a = at(band.outer, from + outerGap);
  const b = at(band.outer, to - outerGap);
  const c = at(band.inner, to - innerGap);
  const d = at(band.inner, from + innerGap);
  return (
    `M${xy(a)}A${band.outer} ${band.outer} 0 ${large} 1 ${xy(b)}` +
    `L${xy(c)}A${band.inner} ${band.inner} 0 ${large} 0 ${xy(d)}Z`
  );
}

/** The part of the memory band that `part` (0 to 1) fills, by area as the eye sees it. */
export function memoryBand(part: number): Band {
  const { inner, outer } = BANDS.memory;
  return { inner: outer - (outer - inner) * Math.sqrt(Math.min(1, Math.max(0, part))), outer };
}

function at(radius: number, angle: number): Point {
  return { x: CENTRE + radius * Math.sin(angle), y: CENTRE - radius * Math.cos(angle) };
}

const xy = ({ x, y }: Point): string => `${x.toFixed(2)} ${y.toFixed(2)}`;
