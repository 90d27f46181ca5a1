/** Counters of the document that are cells of the heap: unit and help come from the list of cells. */
import {
  CLASS_FIELDS as CLASS_CELLS,
  type CounterField,
  SEAT_FIELDS as SEAT_CELLS,
} from "../../allocator/counters/fields.js";
import type { Field } from "./field.js";

type ClassCellName = (typeof CLASS_CELLS)[number]["name"];
type SeatCellName = (typeof SEAT_CELLS)[number]["name"];

function cellField<const Name extends string>(
  cells: readonly CounterField[],
  name: Name,
  inC: boolean,
): Field<Name, "count", "counter"> {
  const { unit, help } = cells.find((c) => c.name === name) as CounterField;
  return { name, type: "count", kind: "counter", unit, help, required: false, inC };
}

export const cell = <const Name extends ClassCellName>(name: Name) => cellField(CLASS_CELLS, name, true);
export const addedCell = <const Name extends ClassCellName>(name: Name) =>
  cellField(CLASS_CELLS, name, false);
export const seatCell = <const Name extends SeatCellName>(name: Name) => cellField(SEAT_CELLS, name, false);
