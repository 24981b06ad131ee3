/** Keys as numbers: where in the order of the keys a listing will be so many keys further on. */

/** Positions before the first that differs in which a guess may carry over, and those from there on that it is made of. */
const CARRY_POSITIONS = 24;
const GUESSED_POSITIONS = 16;
/**
 * From here on UTF-16, in which some imitations of S3 order keys, orders otherwise than UTF-8. A place made of smaller
 * ones parts the keys in the same way in both orders.
 */
const FIRST_AMBIGUOUS = 0xd800;
const FIRST_PRINTABLE = 0x20;
/** Multiples of a distance are taken as so many parts of it. */
const FRACTIONS = 1024;

/** Classes of characters that come together: who has seen one of them expects the others. */
const classes = ['0123456789', 'abcdef', 'ABCDEF', 'ghijklmnopqrstuvwxyz', 'GHIJKLMNOPQRSTUVWXYZ'].map(
  (characters) => Array.from(characters, codeOf),
);

/**
 * What the keys of a listing are made of, position by position, learnt from those that were seen: the digits of a number
 * system in which the keys, where they are made by a rule, are numbers one after the other.
 */
export class KeyDigits {
  readonly #positions: { readonly seen: Set<number>; sorted: readonly number[] | undefined }[] = [];

  /** @param key without what all keys begin with */
  learn(key: string): void {
    let position = 0;
    for (const character of key) {
      const digits = (this.#positions[position++] ??= { seen: new Set(), sorted: undefined });
      const code = codeOf(character);
      if (digits.seen.has(code) || code >= FIRST_AMBIGUOUS || code < FIRST_PRINTABLE) continue;
      const known = classes.find((members) => members.includes(code)) ?? [code];
      for (const member of known) digits.seen.add(member);
      digits.sorted = undefined;
    }
  }

  /** The characters at a position, ascending; none where nothing is known. */
  at(position: number): readonly number[] {
    const digits = this.#positions[position];
    if (digits === undefined) return [];
    return (digits.sorted ??= [...digits.seen].sort((a, b) => a - b));
  }
}

/**
 * Keys that may lie at some multiples of the distance from `first` to `last` behind `last`, ascending; such as need
 * not exist. They are guesses: between here and there may be any number of keys. Without those that would leave the
 * space of the keys.
 *
 * @param first `first` and `last` are keys of the listing, one after the other, without what all keys begin with
 * @param multiples ascending, above 0
 */
export function guessAhead(
  first: string,
  last: string,
  digits: KeyDigits,
  multiples: readonly number[],
): string[] {
  const points = Array.from(last);
  const common = commonLength(Array.from(first), points);
  const start = Math.max(0, common - CARRY_POSITIONS);
  let end = start;
  while (end < common + GUESSED_POSITIONS && digits.at(end).length > 0) end++;
  const from = valueOf(points, start, end, digits);
  const distance = from - valueOf(Array.from(first), start, end, digits);
  if (distance <= 0n) return [];
  const fixed = points.slice(0, start).join('');
  const guesses: string[] = [];
  for (const multiple of multiples) {
    const value = from + (distance * BigInt(Math.round(multiple * FRACTIONS))) / BigInt(FRACTIONS);
    const text = textOf(value, start, end, digits);
    if (text === undefined) break;
    if (isUnambiguous(fixed)) guesses.push(fixed + text);
  }
  return guesses;
}

function valueOf(points: readonly string[], start: number, end: number, digits: KeyDigits): bigint {
  let value = 0n;
  for (let position = start; position < end; position++) {
    const codes = digits.at(position);
    value = value * BigInt(codes.length) + BigInt(rankOf(points[position], codes));
  }
  return value;
}

/** undefined where the value is too large for the positions. */
function textOf(value: bigint, start: number, end: number, digits: KeyDigits): string | undefined {
  const characters: string[] = [];
  let rest = value;
  for (let position = end - 1; position >= start; position--) {
    const codes = digits.at(position);
    const base = BigInt(codes.length);
    characters.push(String.fromCodePoint(codes[Number(rest % base)] ?? FIRST_PRINTABLE));
    rest /= base;
  }
  return rest > 0n ? undefined : characters.reverse().join('');
}

/** Of the greatest known character that is not above it. What a key lacks at its end counts as the least one. */
function rankOf(character: string | undefined, codes: readonly number[]): number {
  if (character === undefined) return 0;
  const code = codeOf(character);
  let low = 0;
  let high = codes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((codes[middle] ?? 0) <= code) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

function commonLength(a: readonly string[], b: readonly string[]): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

function isUnambiguous(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= FIRST_AMBIGUOUS) return false;
  return true;
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}
