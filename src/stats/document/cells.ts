/** Counters of the document that are cells of the heap: unit and help come from the list of cells. */
import {
  CLASS_FIELDS as CLASS_CELLS,
  type CounterField,
  SEAT_FIELDS as SEAT_CELLS,
} from "../../allocator/counters/fields.js";
import type { Field, MetricChoice } from "./field.js";

type ClassCellName = (typeof CLASS_CELLS)[number]["name"];
type SeatCellName = (typeof SEAT_CELLS)[number]["name"];

function cellField<const Name extends string>(
  cells: readonly CounterField[],
  name: Name,
  inC: boolean,
  metric: MetricChoice | undefined,
): Field<Name, "count", "counter"> {
  const { unit, help } = cells.find((c) => c.name === name) as CounterField;
  const field = { name, type: "count", kind: "counter", unit, help, required: false, inC } as const;
  return metric === undefined ? field : { ...field, metric };
}

export const cell = <const Name extends ClassCellName>(name: Name, metric?: MetricChoice) =>
  cellField(CLASS_CELLS, name, true, metric);
export const addedCell = <const Name extends ClassCellName>(name: Name, metric?: MetricChoice) =>
  cellField(CLASS_CELLS, name, false, metric);
export const seatCell = <const Name extends SeatCellName>(name: Name, metric?: MetricChoice) =>
  cellField(SEAT_CELLS, name, false, metric);
