/** Signs on a grid of 16 by 16, drawn as strokes: a meaning is never left to colour alone. */
export const ICONS = {
  ok: "M3 8.5l3.2 3.2L13 5",
  degraded: "M8 2.5L14.5 13.5h-13zM8 6.5v3.2M8 11.6v.2",
  unhealthy: "M4 4l8 8M12 4l-8 8",
  open: "M8 6.5a1.5 1.5 0 1 0 .01 0zM3.6 3.6a6.2 6.2 0 0 0 0 8.8M12.4 3.6a6.2 6.2 0 0 1 0 8.8",
  connecting: "M3 8h.1M8 8h.1M13 8h.1",
  reconnecting: "M13 5.5A5.6 5.6 0 1 0 13.6 9M13.4 2.2v3.6H9.8",
  paused: "M5.5 3.5v9M10.5 3.5v9",
  hidden: "M2 8s2.2-4 6-4 6 4 6 4-2.2 4-6 4-6-4-6-4zM3 13L13 3",
  locked: "M3.5 7.5h9v6h-9zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5",
  info: "M8 7.2v5M8 4v.2M8 1.5a6.5 6.5 0 1 0 .01 0z",
} as const;
