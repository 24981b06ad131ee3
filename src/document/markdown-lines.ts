import type { Heading } from '../core/interfaces.js';

/** The headings of Markdown (CommonMark §4.2, §4.3), found line by line; nothing is rendered. */
export function findHeadings(text: string): Heading[] {
  const headings: Heading[] = [];
  let fence: string | undefined;
  let inComment = false;
  /** The line before, where a line of `=` or `-` makes it a heading. */
  let paragraph: { readonly start: number; readonly line: string } | undefined;
  for (const { start, line } of linesOf(text)) {
    const previous = paragraph;
    paragraph = undefined;
    if (inComment) {
      inComment = !line.includes('-->');
      continue;
    }
    const marker = /^ {0,3}(`{3,}|~{3,})(.*)$/.exec(line);
    if (fence !== undefined) {
      if (marker?.[1]?.startsWith(fence) === true && marker[2]?.trim() === '') fence = undefined;
      continue;
    }
    // The words behind backticks may not hold backticks: that is code within a line.
    if (marker?.[1] !== undefined && !(marker[1].startsWith('`') && marker[2]?.includes('`') === true)) {
      fence = marker[1];
      continue;
    }
    const opened = /^ {0,3}<!--(.*)$/.exec(line);
    if (opened !== null) {
      inComment = opened[1]?.includes('-->') !== true;
      continue;
    }
    const atx = /^ {0,3}(#{1,6})(?:[ \t]+(.*))?$/.exec(line);
    if (atx !== null) {
      addHeading(headings, start, atx[1]?.length ?? 1, (atx[2] ?? '').replace(/(?:^|[ \t])#+[ \t]*$/, ''));
      continue;
    }
    const underline = previous === undefined ? null : /^ {0,3}(=+|-+)[ \t]*$/.exec(line);
    if (previous !== undefined && underline !== null) {
      addHeading(headings, previous.start, underline[1]?.startsWith('=') === true ? 1 : 2, previous.line);
    } else if (isParagraph(line)) {
      paragraph = { start, line };
    }
  }
  return headings;
}

/** Text of a paragraph, and not of a list, a quotation, a table, indented code or HTML. */
function isParagraph(line: string): boolean {
  return (
    line.trim() !== '' && !/^(?: {4}|\t| {0,3}(?:[>|<]|[-+*][ \t]|\d+[.)][ \t]|[-*_]{3,}\s*$))/.test(line)
  );
}

function addHeading(headings: Heading[], start: number, level: number, source: string): void {
  const text = plain(source);
  if (text !== '') headings.push({ start, level, text });
}

/** A heading's words without marks: emphasis, code, links, images, attributes. */
function plain(source: string): string {
  return source
    .replace(/[ \t]*\{[ \t]*[#.:][^{}]*\}[ \t]*$/, '')
    .replace(/<[^<>]+>/g, '')
    .replace(/!?\[([^\]]*)\](?:\([^()]*\)|\[[^\]]*\])/g, '$1')
    .replace(/(`+)(.+?)\1/g, '$2')
    .replace(/(\*{1,3}|_{2,3})(?=\S)(.+?)(?<=\S)\1/g, '$2')
    .replace(/\\([!-/:-@[-`{-~])/g, '$1')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Lines without their ends: LF, CR LF or CR. */
function* linesOf(text: string): Generator<{ readonly start: number; readonly line: string }> {
  const end = /\r\n|\n|\r/g;
  let start = 0;
  for (let match = end.exec(text); match !== null; match = end.exec(text)) {
    yield { start, line: text.slice(start, match.index) };
    start = end.lastIndex;
  }
  yield { start, line: text.slice(start) };
}
