/** The objects of bench/scaling.mjs: what a process serves and another reads. */

const TEXT = 'A record of the large file, with about as many words in it as a short paragraph has. '.repeat(
  3,
);
/** About what costs a machine 20 ms, see bench/README.md: a kilobyte. */
const SMALL_TEXT = 'A sentence of a document as there are many, neither long nor short. '.repeat(14);
const LARGE_KEY = 'docs/large.jsonl';

/** @param {{ objects: number, largeRecords: number }} prefix records of a JSONL beside the objects; 0: without it */
export function keysOf({ objects, largeRecords }) {
  const small = Array.from({ length: objects }, (_, n) => {
    const folder = String(n >> 10).padStart(4, '0');
    return `docs/${folder}/${String(n).padStart(8, '0')}.txt`;
  });
  return largeRecords > 0 ? [...small, LARGE_KEY] : small;
}

let large;

export function bodyOf(key, { largeRecords }) {
  if (key !== LARGE_KEY) return `The text of ${key}. ${SMALL_TEXT}`;
  large ??= Array.from({ length: largeRecords }, (_, n) =>
    JSON.stringify({ id: n, text: `${n}: ${TEXT}` }),
  ).join('\n');
  return large;
}
