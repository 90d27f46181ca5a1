/** Tables, and texts that keep to a width. */
export { sparkline } from "./sparkline.js";
export { type Column, type Page, renderTable, type TableOptions, tableLines, tableSection } from "./table.js";
export { displayWidth, ELLIPSIS, outputWidth, padEnd, padStart, truncate } from "./width.js";
