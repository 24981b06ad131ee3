import { parse } from 'yaml';
import type { Extracted } from './extracted.js';
import { isJsonObject, type JsonObject } from './json-text.js';
import { findHeadings } from './markdown-lines.js';

/** Longer front matter (UTF-16 code units) is text between two rulers. */
const MAX_FRONT_MATTER = 64 * 1024;

/**
 * Markdown as it is, with its headings. YAML front matter is no text: it gives the title and the fields; but
 * a file that holds nothing else is kept whole. Without a title there the first heading is the title.
 */
export function parseMarkdown(source: string): Extracted {
  const front = frontMatter(source);
  const text = front === undefined ? source : source.slice(front.end);
  if (text.trim() === '') return { text: source };
  const headings = findHeadings(text);
  const { title, ...fields } = front?.values ?? {};
  const given = typeof title === 'string' || typeof title === 'number' ? String(title).trim() : '';
  return {
    text,
    title: given === '' ? headings[0]?.text : given,
    headings,
    fields: Object.keys(fields).length > 0 ? fields : undefined,
  };
}

interface FrontMatter {
  readonly values: JsonObject;
  /** Position behind it. */
  readonly end: number;
}

/** undefined where the text does not begin with a YAML mapping between two lines of `---`. */
function frontMatter(source: string): FrontMatter | undefined {
  const match = /^---[ \t]*\r?\n([^]*?\r?\n|)(?:---|\.\.\.)[ \t]*(?:\r?\n|$)/.exec(
    source.slice(0, MAX_FRONT_MATTER),
  );
  if (match === null) return undefined;
  try {
    const values: unknown = parse(match[1] ?? '', { logLevel: 'error' });
    return isJsonObject(values) ? { values, end: match[0].length } : undefined;
  } catch {
    // What is no YAML is text: nothing is lost.
    return undefined;
  }
}
