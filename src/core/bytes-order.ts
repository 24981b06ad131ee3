/**
 * Orders two strings as their UTF-8 bytes are ordered, which is how S3 lists keys: negative, zero or positive,
 * like `Buffer.compare(Buffer.from(a), Buffer.from(b))` without making buffers. JavaScript's own `<` compares
 * UTF-16 code units and puts an emoji before U+FF21. A lone surrogate, which has no UTF-8 form, counts as the
 * supplementary characters do.
 */
export function compareUtf8(a: string, b: string): number {
  if (a === b) return 0;
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const unitA = a.charCodeAt(i);
    const unitB = b.charCodeAt(i);
    if (unitA !== unitB) return rank(unitA) - rank(unitB);
  }
  return a.length - b.length;
}

const FIRST_SURROGATE = 0xd800;
const AFTER_SURROGATES = 0xe000;
const BEYOND_ALL_UNITS = 0x10000;

/** Surrogates stand for characters above U+FFFF, hence above every other unit. */
function rank(unit: number): number {
  return unit >= FIRST_SURROGATE && unit < AFTER_SURROGATES ? unit + BEYOND_ALL_UNITS : unit;
}
