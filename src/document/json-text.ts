/**
 * `JSON.parse`, but nothing is changed silently: integers that a double cannot hold become strings of their
 * digits (two ids would else be one), and halves of surrogate pairs, which no encoding can write, U+FFFD.
 * Throws SyntaxError.
 */
export function parseJson(text: string): unknown {
  const source = LONG_INTEGER.test(text) ? quoteUnsafeIntegers(text) : text;
  return SURROGATE_ESCAPE.test(source) ? JSON.parse(source, wellFormed) : JSON.parse(source);
}

/** Shorter integers are always safe. */
const LONG_INTEGER = /\d{16}/;
const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

const NUMBER = /-?\d[\d.eE+-]*/g;

/** By hand, since a regular expression over strings runs out of stack in long ones. */
function quoteUnsafeIntegers(text: string): string {
  const pieces: string[] = [];
  for (let at = 0; at < text.length;) {
    const quote = text.indexOf('"', at);
    const open = quote < 0 ? text.length : quote;
    const close = endOfString(text, open);
    pieces.push(text.slice(at, open).replace(NUMBER, quoteUnsafe), text.slice(open, close));
    at = close;
  }
  return pieces.join('');
}

function quoteUnsafe(number: string): string {
  return /^-?\d{16,}$/.test(number) && !Number.isSafeInteger(Number(number)) ? `"${number}"` : number;
}

/** Position behind the string that begins at `open`. */
function endOfString(text: string, open: number): number {
  for (let quote = text.indexOf('"', open + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let backslash = quote;
    while (text[backslash - 1] === '\\') backslash -= 1;
    if ((quote - backslash) % 2 === 0) return quote + 1;
  }
  return text.length;
}

function wellFormed(_name: string, value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/\p{Surrogate}/gu, '\ufffd') : value;
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `an array`, `a string`, …: for messages. */
export function kindOfJson(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
