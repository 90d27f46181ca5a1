/** Arrow keys in a group of cells of which one is in the tab order (roving tabindex). */

export interface Layout {
  readonly count: number;
  /** Cells per row; 1 row where absent. */
  readonly columns?: number;
  /** From the last cell on to the first, as around a ring. */
  readonly wraps?: boolean;
}

/** Where `key` leads from cell `from`; undefined for keys that mean nothing here. */
export function move(from: number, key: string, layout: Layout): number | undefined {
  const { count, columns = count, wraps = false } = layout;
  if (count === 0) return undefined;
  const rowStart = from - (from % columns);
  const rowEnd = Math.min(rowStart + columns, count) - 1;
  const oneRow = columns >= count;
  const step = (by: number): number => {
    const to = from + by;
    if (wraps) return (to + count) % count;
    return Math.abs(by) === 1 ? Math.min(rowEnd, Math.max(rowStart, to)) : to < 0 || to >= count ? from : to;
  };
  switch (key) {
    case "ArrowRight":
      return step(1);
    case "ArrowLeft":
      return step(-1);
    case "ArrowDown":
      return step(oneRow ? 1 : columns);
    case "ArrowUp":
      return step(oneRow ? -1 : -columns);
    case "Home":
      return rowStart;
    case "End":
      return rowEnd;
    default:
      return undefined;
  }
}
