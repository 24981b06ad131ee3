import type { Metadata, Row } from '../../core/interfaces.js';

/** Float32 numbers are told apart by so many decimal digits. */
const FLOAT32_DIGITS = 9;
const ID_START = Buffer.from('{"id":"');
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

/** The id, without parsing the whole line where it was written by {@link lineOfRow} and needs no escapes. */
export function idOfLine(line: Uint8Array): string {
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
  if (bytes.subarray(0, ID_START.length).equals(ID_START)) {
    const end = bytes.indexOf(QUOTE, ID_START.length);
    const escape = bytes.subarray(0, end).indexOf(BACKSLASH);
    if (end > 0 && escape < 0) return bytes.toString('utf8', ID_START.length, end);
  }
  return (JSON.parse(textOf(line)) as { id: string }).id;
}

function textOf(line: Uint8Array): string {
  return Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8');
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
