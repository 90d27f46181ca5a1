/** The terminal of commands that go on: redrawing in place, keys, and how they end. */
export { Ending } from "./ending.js";
export type { Size } from "./frame.js";
export type { Key } from "./keys.js";
export { Pace } from "./pace.js";
export { canRedraw, type Render, Screen } from "./screen.js";
