import type { Row } from '../../core/interfaces.js';
import type { Layout } from './layouts.js';

export type BulkOperation = 'index' | 'delete';

/** One operation as it goes over the wire: the action and, where there is one, the source, each with its newline. */
export interface Line {
  readonly operation: BulkOperation;
  /** The document's `_id`, which the answer must name; undefined where the service chooses it. */
  readonly id: string | undefined;
  readonly bytes: Buffer;
}

/** Writes the row under its own id, in place of what has that id. */
export function serialiseRow(row: Row, layout: Layout): Line {
  // The index is in the request's path: some clusters forbid it in the body.
  return indexLine(`{"index":{"_id":${JSON.stringify(row.id)}}}`, row.id, layout.toSource(row), row, layout);
}

/** Adds a copy of the row, under an id that the service chooses. `written` tells the copies of a row apart. */
export function serialiseCopy(row: Row, layout: Layout, written: string): Line {
  const source = { ...layout.toSource(row), embatch: { ...row.embatch, written } };
  return indexLine('{"index":{}}', undefined, source, row, layout);
}

function indexLine(action: string, id: string | undefined, source: object, row: Row, layout: Layout): Line {
  const json = JSON.stringify(source);
  const vector = `"${layout.vectorField}":${vectorJson(row.vector)}`;
  return { operation: 'index', id, bytes: Buffer.from(`${action}\n${json.slice(0, -1)},${vector}}\n`) };
}

/** A document in the state in which a search saw it. */
export interface SeenDocument {
  readonly id: string;
  /** Changes with every write of the document; undefined where documents are never written twice. */
  readonly state: { readonly if_seq_no: number; readonly if_primary_term: number } | undefined;
}

/** Deletes the document unless it was written since it was seen: that one is refused (409). */
export function serialiseDeletion({ id, state }: SeenDocument): Line {
  const action = { delete: { _id: id, ...state } };
  return { operation: 'delete', id, bytes: Buffer.from(`${JSON.stringify(action)}\n`) };
}

/** Sign, `0.`, up to four zeros, nine digits and the comma: 17 for the smallest element that matters. */
const MAX_BYTES_PER_ELEMENT = 17;
/** Of the action, and of what is written beside the row. */
const ACTION_BYTES = 80;
const FIELD_BYTES = 24;

/** Upper bound of {@link serialiseRow}'s bytes at a fraction of its cost. */
export function estimateBytes(row: Row, layout: Layout): number {
  return (
    ACTION_BYTES +
    row.id.length +
    Buffer.byteLength(JSON.stringify(layout.toSource(row))) +
    FIELD_BYTES +
    row.vector.length * MAX_BYTES_PER_ELEMENT
  );
}

/** JSON array of decimals that give back the same float32, bit for bit, when parsed as float or as double. */
export function vectorJson(vector: Float32Array): string {
  const bits = new Uint32Array(vector.buffer, vector.byteOffset, vector.length);
  const parts = new Array<string>(vector.length);
  for (let index = 0; index < vector.length; index++) {
    parts[index] = shortDecimal(vector[index] as number, bits[index] as number);
  }
  return `[${parts.join(',')}]`;
}

/** Digits that tell any two float32 apart. */
const FLOAT32_DIGITS = 9;
/** Powers of ten that a double holds exactly end here. */
const MAX_EXACT_DECIMALS = 22;
const MANTISSA_BITS = 23;
const MANTISSA_MASK = 0x7fffff;
const EXPONENT_BIAS = 127;

/** Distance of neighbouring floats, by the bits of their exponent. */
const spacings = Float64Array.from(
  { length: 256 },
  (_, exponent) => 2 ** (exponent - EXPONENT_BIAS - MANTISSA_BITS),
);

/**
 * By exponent, the power of ten that makes neighbouring floats at least one apart: a value times it, rounded to
 * an integer, is nearer to that float than to any other. 0 where no such power is exact.
 */
const scales = spacings.map((spacing, exponent) => {
  const decimals = Math.floor(-Math.log10(spacing)) + 1;
  return exponent > 0 && decimals >= 1 && decimals <= MAX_EXACT_DECIMALS ? 10 ** decimals : 0;
});

/** A decimal within this part of the spacing is read as that float by every parser, whichever way it rounds. */
const REACH = 0.499;

/** The shortest such decimal, in less time than trying precisions takes. */
function shortDecimal(value: number, bits: number): string {
  if (value === 0) return bits === 0 ? '0' : '-0.0';
  const exponent = (bits >>> MANTISSA_BITS) & 0xff;
  let scale = scales[exponent] as number;
  // Below a power of two the floats lie twice as dense.
  if (scale === 0 || (bits & MANTISSA_MASK) === 0) return String(Number(value.toPrecision(FLOAT32_DIGITS)));
  const reach = (spacings[exponent] as number) * REACH;
  let decimal = Math.round(value * scale) / scale;
  while (scale > 1) {
    scale /= 10;
    const shorter = Math.round(value * scale) / scale;
    if (Math.abs(shorter - value) > reach) break;
    decimal = shorter;
  }
  return String(decimal);
}
