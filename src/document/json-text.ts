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

/** Strings are matched so that digits in them are not. */
const STRING_OR_NUMBER = /"(?:[^"\\]+|\\.)*"|-?\d[\d.eE+-]*/g;

function quoteUnsafeIntegers(text: string): string {
  return text.replace(STRING_OR_NUMBER, (token) =>
    /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token,
  );
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
