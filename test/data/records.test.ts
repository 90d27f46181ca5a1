/**
 * Defends: every field of every record reads back what was stored in it, changes no byte but its own, and lies where
 * `offsets` says; views move from record to record and refuse what is no such record.
 * Method: random definitions and random stores against a DataView over a private copy of the bytes, compared whole after
 * every store, neighbours included; the layout against its rules stated as properties; bad input one by one.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  defineRecord,
  type FieldArray,
  type FieldKind,
  InvalidTypeError,
  InvalidValueError,
  type NumberKind,
  type RecordDefinition,
  StaleHandleError,
  textBytes,
} from "../../src/data.js";
import { type Handle, HeapDetachedError, NULL_HANDLE, type SlabHeap } from "../../src/index.js";
import { another, expectWholeMemoryBack, SLAB, smallHeap } from "../allocator/support.js";
import { testSeed } from "../model/seed.js";
import { anyText, wellFormed } from "./arbitrary.js";

const WIDTH: Record<NumberKind, number> = { f64: 8, f32: 4, i32: 4, u32: 4, i16: 2, u16: 2, i8: 1, u8: 1 };
const KINDS = Object.keys(WIDTH) as NumberKind[];
const GUARD = 0xa5;
const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

const kind: fc.Arbitrary<FieldKind> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<FieldKind>(...KINDS, "bool") },
  { weight: 1, arbitrary: fc.tuple(fc.constant("text" as const), fc.integer({ min: 1, max: 40 })) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...KINDS), fc.integer({ min: 1, max: 5 })) },
);
const definition: fc.Arbitrary<RecordDefinition> = fc
  .array(kind, { minLength: 1, maxLength: 12 })
  .map((kinds) => Object.fromEntries(kinds.map((k, i) => [`field${i}`, k])));

const width = (k: FieldKind): number =>
  typeof k === "string" ? (k === "bool" ? 1 : WIDTH[k]) : elementWidth(k);
const elementWidth = (k: readonly [string, number]): number =>
  k[0] === "text" ? 1 : WIDTH[k[0] as NumberKind];
const size = (k: FieldKind): number => width(k) * (typeof k === "string" ? 1 : k[1]);

describe("the layout", () => {
  test("has no gap but at the end, nothing overlaps, and the order follows its two rules", () => {
    fc.assert(
      fc.property(definition, (fields) => {
        const type = defineRecord(fields);
        const placed = Object.entries(fields)
          .map(([name, k], order) => ({ k, order, offset: type.offsets[name] as number }))
          .sort((a, b) => a.offset - b.offset);
        let end = 0;
        placed.forEach(({ k, order, offset }, i) => {
          expect(offset).toBe(end);
          expect(offset % width(k)).toBe(0);
          end += size(k);
          const before = placed[i - 1];
          if (before === undefined) return;
          expect(width(before.k)).toBeGreaterThanOrEqual(width(k));
          if (width(before.k) === width(k)) expect(before.order).toBeLessThan(order);
        });
        const widest = Math.max(...placed.map(({ k }) => width(k)));
        expect(type.byteLength % widest).toBe(0);
        expect(type.byteLength - end).toBeGreaterThanOrEqual(0);
        expect(type.byteLength - end).toBeLessThan(widest);
        expect(defineRecord(fields).offsets).toEqual(type.offsets);
      }),
      { seed: testSeed("layout"), numRuns: 2000 },
    );
  });

  test("of the example in the documentation", () => {
    const type = defineRecord({
      flags: "u8",
      x: "f64",
      id: "u32",
      alive: "bool",
      y: "f64",
      name: ["text", 5],
      pos: ["f32", 3],
    });
    expect(type.offsets).toEqual({ x: 0, y: 8, id: 16, pos: 20, flags: 32, alive: 33, name: 34 });
    expect(type.byteLength).toBe(40);
    expect(Object.isFrozen(type) && Object.isFrozen(type.offsets)).toBe(true);
  });
});

type AnyView = Record<string, number | boolean | string | FieldArray<NumberKind>> & {
  readonly handle: Handle;
  moveTo(handle: Handle): void;
};

/** Stores `value` at byte `at` of `bytes` as the language says a typed array does; returns what reading gives. */
function storeNumber(data: DataView, k: NumberKind, at: number, value: number): number {
  const names = { f64: "Float64", f32: "Float32", i32: "Int32", u32: "Uint32", i16: "Int16", u16: "Uint16" };
  const name = { ...names, i8: "Int8", u8: "Uint8" }[k] as "Float64";
  data[`set${name}`](at, value, LITTLE_ENDIAN);
  return data[`get${name}`](at, LITTLE_ENDIAN);
}

const anyNumber = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom(0, -0, 255, 256, -1, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 1.5, -2.5, Number.NaN),
);

describe("fields against a DataView", () => {
  test("every store changes its own bytes and reads back, in each of three records of one view", () => {
    const heap = smallHeap({ capacity: 64 * SLAB });
    const stores = fc.array(fc.tuple(fc.nat(2), fc.nat(), fc.nat(), anyNumber, anyText), { maxLength: 40 });
    let done = 0;
    fc.assert(
      fc.property(definition, stores, (fields, script) => {
        const type = defineRecord(fields);
        const handles = [0, 1, 2].map(() => type.alloc(heap));
        const view = type.at(heap, handles[0] as Handle) as unknown as AnyView;
        // The whole objects: what lies behind the record must stay as it is.
        const model = handles.map((h) => {
          heap.view(h).fill(GUARD, type.byteLength);
          const bytes = new Uint8Array(heap.sizeOf(h)).fill(GUARD, type.byteLength);
          return new DataView(bytes.buffer);
        });
        for (const [which, pick, element, number, text] of script) {
          view.moveTo(handles[which] as Handle);
          const [name, k] = Object.entries(fields)[pick % Object.keys(fields).length] as [string, FieldKind];
          storeOne(
            view,
            model[which] as DataView,
            name,
            k,
            type.offsets[name] as number,
            element,
            number,
            text,
          );
          handles.forEach((h, i) => {
            expect([...heap.view(h)]).toEqual([...new Uint8Array((model[i] as DataView).buffer)]);
          });
          done++;
        }
        for (const handle of handles) expect(heap.free(handle)).toBe(true);
      }),
      { seed: testSeed("fields"), numRuns: 600 },
    );
    expect(done).toBeGreaterThan(2000);
    expectWholeMemoryBack(heap);
  });
});

function storeOne(
  view: AnyView,
  data: DataView,
  name: string,
  k: FieldKind,
  offset: number,
  element: number,
  number: number,
  text: string,
): void {
  if (k === "bool") {
    view[name] = number > 0;
    data.setUint8(offset, number > 0 ? 1 : 0);
    expect(view[name]).toBe(number > 0);
  } else if (typeof k === "string") {
    view[name] = number;
    expect(view[name]).toEqual(storeNumber(data, k, offset, number));
  } else if (k[0] === "text") {
    const room = k[1];
    if (textBytes(text) > room || text.endsWith("\0")) {
      expect(() => {
        view[name] = text;
      }).toThrow(InvalidValueError);
    } else {
      view[name] = text;
      const bytes = new Uint8Array(data.buffer, offset, room);
      bytes.fill(0);
      bytes.set(new TextEncoder().encode(text));
      expect(view[name]).toBe(wellFormed(text));
    }
  } else {
    const array = view[name] as FieldArray<NumberKind>;
    const [elementKind, length] = k as readonly [NumberKind, number];
    const i = element % length;
    array.set(i, number);
    const wanted = storeNumber(data, elementKind, offset + i * WIDTH[elementKind], number);
    expect(array.get(i)).toEqual(wanted);
    expect(array.view()[i]).toEqual(wanted);
    expect([array.length, array.view().length]).toEqual([length, length]);
  }
}

const Point = defineRecord({ x: "f64", y: "f64", id: "u32", name: ["text", 8], at: ["i16", 3], on: "bool" });

describe("records of a heap", () => {
  test("begin with every field zero, whatever was there before", () => {
    const heap = smallHeap();
    const old = heap.allocOrThrow(64);
    heap.view(old).fill(0xff);
    const place = heap.byteOffset(old);
    heap.free(old);
    const p = Point.at(heap, Point.alloc(heap));
    expect(heap.byteOffset(p.handle)).toBe(place);
    expect([p.x, p.y, p.id, p.name, p.on, ...p.at.view()]).toEqual([0, 0, 0, "", false, 0, 0, 0]);
  });

  test("are seen by every seat, and by views of the same definition made elsewhere", () => {
    const heap = smallHeap();
    const other = another(heap);
    const p = Point.at(heap, Point.alloc(heap));
    p.x += 1.5;
    p.name = "Ωmega";
    p.at.set(2, -7);
    p.on = true;
    const Same = defineRecord({
      x: "f64",
      y: "f64",
      id: "u32",
      name: ["text", 8],
      at: ["i16", 3],
      on: "bool",
    });
    const q = Same.at(other, p.handle);
    expect([q.x, q.name, q.at.get(2), q.on, q.handle]).toEqual([1.5, "Ωmega", -7, true, p.handle]);
    expect(other.free(q.handle)).toBe(true);
    expectWholeMemoryBack(heap, other);
  });

  test("one view walks many without mixing them up, array fields included", () => {
    const heap = smallHeap({ capacity: 64 * SLAB });
    const handles = Array.from({ length: 500 }, () => Point.alloc(heap));
    const p = Point.at(heap, handles[0] as Handle);
    const { at } = p;
    handles.forEach((handle, i) => {
      p.moveTo(handle);
      p.id = i;
      p.name = `n${i}`;
      at.set(1, i);
    });
    handles.forEach((handle, i) => {
      p.moveTo(handle);
      expect([p.handle, p.id, p.name, at.get(1)]).toEqual([handle, i, `n${i}`, i]);
    });
  });

  test("take an epoch, and NULL_HANDLE when there is no room or the epoch is closing", () => {
    const heap = smallHeap();
    const old = heap.currentEpoch;
    const epoch = heap.advanceEpoch();
    expect(heap.epochOf(Point.alloc(heap, epoch.id))).toEqual(epoch);
    expect(Point.alloc(heap, old.id)).toBe(NULL_HANDLE);
    expect(heap.lastFailure).toBe("epoch-closed");
    while (Point.alloc(heap) !== NULL_HANDLE);
    expect(heap.lastFailure).toBe("out-of-memory");
    expectWholeMemoryBack(heap);
  });

  test("a large record takes a run of slabs", () => {
    const heap = smallHeap();
    const Large = defineRecord({ samples: ["f64", 1000], title: ["text", 1000] });
    const large = Large.at(heap, Large.alloc(heap));
    large.samples.set(999, Math.PI);
    large.title = "é".repeat(500);
    expect(large.samples.view()[999]).toBe(Math.PI);
    expect(large.title.length).toBe(500);
  });

  test("a view shows what lives at its place when its record has ended", () => {
    const heap = smallHeap();
    const p = Point.at(heap, Point.alloc(heap));
    p.x = 1;
    heap.free(p.handle);
    const next = heap.allocOrThrow(64);
    heap.viewAs(next, Float64Array).fill(9);
    expect(p.x).toBe(9);
    expect(() => p.moveTo(p.handle)).toThrow(StaleHandleError);
  });
});

describe("what is refused", () => {
  const stays = (heap: SlabHeap, move: (p: ReturnType<typeof Point.at>) => void, error: object | RegExp) => {
    const p = Point.at(heap, Point.alloc(heap));
    p.x = 42;
    const { handle } = p;
    expect(() => move(p)).toThrow(error as RegExp);
    expect([p.x, p.handle]).toEqual([42, handle]);
  };

  test("handles of nothing and of objects too small; the view stays where it was", () => {
    const heap = smallHeap({ sizeClasses: [16, 64] });
    const small = heap.allocOrThrow(16);
    stays(heap, (p) => p.moveTo(small), InvalidValueError);
    stays(heap, (p) => p.moveTo(small), new RegExp(`at least ${Point.byteLength} bytes.*names one of 16`));
    stays(heap, (p) => p.moveTo(NULL_HANDLE), StaleHandleError);
    stays(heap, (p) => p.moveTo(77 as Handle), StaleHandleError);
    stays(heap, (p) => p.moveTo(undefined as never), InvalidTypeError);
    expect(() => Point.at(heap, small)).toThrow(InvalidValueError);
    expect(() => Point.at(heap, NULL_HANDLE)).toThrow(StaleHandleError);
    expect(() => Point.at({} as never, small)).toThrow(/at: heap must be a SlabHeap; got an object/);
    expect(() => Point.alloc(null as never)).toThrow(/alloc: heap must be a SlabHeap; got null/);
    const p = Point.at(heap, Point.alloc(heap));
    heap.detach();
    expect(() => p.moveTo(p.handle)).toThrow(HeapDetachedError);
  });

  test("texts that do not fit, with nothing written, and elements that are none", () => {
    const heap = smallHeap();
    stays(
      heap,
      (p) => {
        p.name = "before";
        p.name = "too long!";
      },
      /name: text must be from 0 to 8 bytes of UTF-8 and not end in U\+0000; got 9 bytes\./,
    );
    const p = Point.at(heap, Point.alloc(heap));
    p.name = "mid\0dle";
    for (const bad of ["end\0", "€€€", "\0"]) expect(() => (p.name = bad)).toThrow(InvalidValueError);
    expect(() => (p.name = 5 as never)).toThrow(/name: text must be a string; got 5/);
    expect(p.name).toBe("mid\0dle");
    for (const bad of [3, -1, 0.5, Number.NaN, 2 ** 32, 2 ** 53]) {
      expect(() => p.at.get(bad)).toThrow(/get: index must be a whole number from 0 to 2; got /);
      expect(() => p.at.set(bad, 1)).toThrow(InvalidValueError);
    }
    expect(() => p.at.get("1" as never)).toThrow(InvalidTypeError);
    expect(() => {
      // @ts-expect-error an array field is not assigned but set
      p.at = [1, 2, 3];
    }).toThrow(TypeError);
  });

  test("definitions that define nothing", () => {
    const refuse = (
      fields: unknown,
      error: typeof InvalidTypeError | typeof InvalidValueError,
      message: RegExp,
    ) => {
      const define = () => defineRecord(fields as RecordDefinition);
      expect(define).toThrow(error);
      expect(define).toThrow(message);
    };
    for (const bad of [undefined, null, 3, "x", [["x", "f64"]]]) {
      refuse(bad, InvalidTypeError, /definition must be an object of fields/);
    }
    refuse({}, InvalidValueError, /at least one field/);
    for (const name of [
      "",
      "0",
      "1a",
      "a b",
      "_x",
      "handle",
      "moveTo",
      "toString",
      "constructor",
      "hasOwnProperty",
    ]) {
      refuse({ [name]: "u8" }, InvalidValueError, /a field's name must be .*; got "/);
    }
    for (const bad of ["f16", "F64", "text", "i64", "toString"]) {
      refuse({ x: bad }, InvalidValueError, /type of field x must be f64, .*; got "/);
    }
    for (const bad of [undefined, 8, null, {}, [], ["f64"], ["bool", 3], ["text", 3, 4], ["f65", 1]]) {
      refuse({ x: bad }, InvalidTypeError, /type of field x must be /);
    }
    for (const bad of [0, -1, 1.5, 65_537, Number.NaN]) {
      refuse(
        { x: ["text", bad] },
        InvalidValueError,
        /length of field x must be a whole number from 1 to 65536/,
      );
    }
    refuse({ x: ["f32", "3"] }, InvalidTypeError, /length of field x must be a number .*; got "3"/);
  });
});

test("types follow the definition", () => {
  const heap = smallHeap();
  const p = Point.at(heap, Point.alloc(heap));
  const numbers: number[] = [p.x, p.id, p.at.get(0), Point.offsets.name];
  const view: Int16Array = p.at.view();
  const [text, flag]: [string, boolean] = [p.name, p.on];
  expect([numbers.length, view.length, text, flag]).toEqual([4, 3, "", false]);
  // @ts-expect-error there is no such field
  expect(p.z).toBe(undefined);
  // @ts-expect-error a number's field takes numbers; the language makes NaN of this
  p.x = "seven";
  expect(p.x).toBeNaN();
  // @ts-expect-error handles are changed by moveTo
  expect(() => (p.handle = NULL_HANDLE)).toThrow(TypeError);
  // @ts-expect-error no such type
  expect(() => defineRecord({ a: "f16" })).toThrow(InvalidValueError);
});
