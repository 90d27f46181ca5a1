/** The control sequences in use; every terminal since the VT220 knows them, or ignores those that came later. */
const CSI = "\u001b[";

/** The alternate screen, so that what was on the terminal is there again afterwards; no cursor, no wrapping of lines. */
export const ENTER = `${CSI}?1049h${CSI}?25l${CSI}?7l`;
/** Everything that {@link ENTER} and colours changed, put back. */
export const LEAVE = `${CSI}0m${CSI}?7h${CSI}?25h${CSI}?1049l`;
/** Between these two a terminal that knows them shows nothing half drawn. */
export const BEGIN_UPDATE = `${CSI}?2026h`;
export const END_UPDATE = `${CSI}?2026l`;
export const ERASE_LINE_END = `${CSI}K`;
export const ERASE_BELOW = `${CSI}J`;

/** Puts the cursor at the start of a row, counted from 0. */
export const toRow = (row: number): string => `${CSI}${row + 1};1H`;
