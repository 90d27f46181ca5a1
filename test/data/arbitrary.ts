/** Random texts that reach every branch of the encoder: all planes, lone surrogates, and lengths round each threshold. */
import fc from "fast-check";

/** Any sequence of UTF-16 units, paired or not. */
const units = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0xd7f0, max: 0xe00f })), {
    maxLength: 90,
  })
  .map((codes) => String.fromCharCode(...codes));

/** Whole characters of every plane. */
const characters = fc.string({ unit: "binary", maxLength: 90 });

const ascii = fc.string({ unit: "binary-ascii", maxLength: 40 });

/** Long enough for several pieces of the encoder's own memory: 16 KiB, or 5,461 units of 3 bytes. */
const long = fc
  .tuple(
    fc.oneof(units, characters).filter((text) => text.length > 0),
    fc.integer({ min: 5_300, max: 20_000 }),
  )
  .map(([text, length]) => text.repeat(Math.ceil(length / text.length)).slice(0, length));

export const anyText = fc.oneof(
  { weight: 4, arbitrary: units },
  { weight: 4, arbitrary: characters },
  { weight: 3, arbitrary: ascii },
  { weight: 1, arbitrary: long },
);

/** What a text becomes on its way through UTF-8. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}
