import type { AddedToken } from '../tokenizer-file.js';
import { escapeForRegExp } from './pattern.js';
import { WHITE_SPACE } from './unicode.js';

/** A stretch of text, or the id of the added token that stands there. */
export type Section = string | number;

const SPACE_BEFORE = new RegExp(`${WHITE_SPACE}$`, 'u');
const SPACES_AFTER = new RegExp(`${WHITE_SPACE}*`, 'uy');

/** What counts as part of a word next to a token that wants to stand alone. */
const WORD = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]';
const STARTS_WITH_WORD = new RegExp(`^${WORD}`, 'u');
const ENDS_WITH_WORD = new RegExp(`${WORD}$`, 'u');

/** Finds added tokens in a text: the leftmost, and the longest of those that begin there. */
export function createSectioner(
  tokens: readonly AddedToken[],
  contentOf: (token: AddedToken) => string,
): (text: string) => Section[] {
  const byContent = new Map<string, AddedToken>();
  for (const token of tokens) {
    const content = contentOf(token);
    // Of two that are alike the later one decides, as in the reference.
    if (content !== '') byContent.set(content, token);
  }
  if (byContent.size === 0) return (text) => [text];
  const longestFirst = [...byContent.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map(escapeForRegExp).join('|'), 'gu');

  return (text) => {
    const sections: Section[] = [];
    let done = 0;
    for (const match of text.matchAll(pattern)) {
      const token = byContent.get(match[0]);
      if (token === undefined) continue;
      let start = match.index;
      let end = start + match[0].length;
      if (token['single_word'] === true && !standsAlone(text, start, end)) continue;
      if (token['lstrip'] === true) {
        while (start > done && SPACE_BEFORE.test(text.slice(start - 1, start))) start -= 1;
      }
      if (token['rstrip'] === true) {
        SPACES_AFTER.lastIndex = end;
        end += SPACES_AFTER.exec(text)?.[0].length ?? 0;
      }
      if (start > done) sections.push(text.slice(done, start));
      sections.push(token.id);
      done = end;
    }
    if (done < text.length) sections.push(text.slice(done));
    return sections;
  };
}

function standsAlone(text: string, start: number, end: number): boolean {
  // Two code units hold any character.
  return (
    !ENDS_WITH_WORD.test(text.slice(Math.max(0, start - 2), start)) &&
    !STARTS_WITH_WORD.test(text.slice(end, end + 2))
  );
}
