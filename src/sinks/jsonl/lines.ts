import type { Metadata, Row, StaleRows } from '../../core/interfaces.js';

/** Float32 numbers are told apart by so many decimal digits. */
const FLOAT32_DIGITS = 9;
const ID_START = Buffer.from('{"id":"');
const REMOVAL_START = Buffer.from('{"removed":');
const VECTOR_START = Buffer.from(',"vector":[');
const VECTOR_END = Buffer.from('],"metadata":{');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;

/** A row as one line of JSON, its end included. The id comes first: {@link idOfLine} counts on it. */
export function lineOfRow({ id, text, vector, metadata, embatch }: Row): string {
  const rest = JSON.stringify({ metadata, embatch }).slice(1);
  return `{"id":${JSON.stringify(id)},"text":${JSON.stringify(text)},"vector":[${vectorText(vector)}],${rest}\n`;
}

/** Half as long as JSON.stringify makes them, and the same float32 when read; it would also lose the sign of -0. */
function vectorText(vector: Float32Array): string {
  return Array.from(vector, (value) =>
    Object.is(value, -0) ? '-0' : String(Number(value.toPrecision(FLOAT32_DIGITS))),
  ).join(',');
}

export function rowOfLine(line: Uint8Array): Row {
  const { id, text, vector, metadata, embatch } = JSON.parse(textOf(line)) as {
    id: string;
    text: string;
    vector: number[];
    metadata: Metadata;
    embatch: Row['embatch'];
  };
  return { id, text, vector: Float32Array.from(vector), metadata, embatch };
}

/** What a row says of itself. Numbers are most of a line: where it was written by {@link lineOfRow} they are not read. */
export function labelsOfLine(line: Uint8Array): Omit<Row, 'text' | 'vector'> {
  const id = idOfLine(line);
  const bytes = bufferOf(line);
  // In texts quotes are escaped, so the first of these is the key; up to the second there are only numbers.
  const vector = startsWith(bytes, ID_START) ? bytes.indexOf(VECTOR_START) : -1;
  const end = vector < 0 ? -1 : bytes.indexOf(VECTOR_END, vector);
  const json = end < 0 ? textOf(line) : `{${bytes.toString('utf8', end + '],'.length)}`;
  const { metadata, embatch } = JSON.parse(json) as Pick<Row, 'metadata' | 'embatch'>;
  return { id, metadata, embatch };
}

/** A line of its own kind: the rows before it that it names do not count any more. */
export function lineOfRemoval({ object, keep }: StaleRows): string {
  return `${JSON.stringify({ removed: { object, keep } })}\n`;
}

export function isRemoval(line: Uint8Array): boolean {
  return startsWith(bufferOf(line), REMOVAL_START);
}

export function removalOfLine(line: Uint8Array): StaleRows {
  const { object, keep } = (JSON.parse(textOf(line)) as { removed: StaleRows }).removed;
  return { object, keep };
}

/** The id, without parsing the whole line where it was written by {@link lineOfRow} and needs no escapes. */
export function idOfLine(line: Uint8Array): string {
  const bytes = bufferOf(line);
  if (startsWith(bytes, ID_START)) {
    const end = bytes.indexOf(QUOTE, ID_START.length);
    const escape = bytes.subarray(0, end).indexOf(BACKSLASH);
    if (end > 0 && escape < 0) return bytes.toString('utf8', ID_START.length, end);
  }
  return (JSON.parse(textOf(line)) as { id: string }).id;
}

function textOf(line: Uint8Array): string {
  return bufferOf(line).toString('utf8');
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function startsWith(bytes: Buffer, start: Buffer): boolean {
  return bytes.subarray(0, start.length).equals(start);
}

export interface Line {
  /** Without its end. */
  readonly bytes: Uint8Array;
  /** False for a last line that has no end: its writer died in the act, and nobody was told that it is there. */
  readonly complete: boolean;
}

/** The lines of a file, in order; a last one without an end is given as incomplete. */
export async function* linesOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Line, void, undefined> {
  let rest: Uint8Array[] = [];
  for await (const piece of pieces) {
    let start = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
      const tail = piece.subarray(start, end);
      yield { bytes: rest.length === 0 ? tail : Buffer.concat([...rest, tail]), complete: true };
      rest = [];
      start = end + 1;
    }
    if (start < piece.length) rest.push(piece.subarray(start));
  }
  if (rest.length > 0) yield { bytes: Buffer.concat(rest), complete: false };
}
