/** What stands between two pieces of text, from weak to strong; of several in a row the strongest counts. */
const gaps = ['', ' ', '\t', '\n', '\n\n'] as const;
export type Gap = (typeof gaps)[number];

/** White space other than single spaces, and soft hyphens. */
const UNEVEN = /[\t\r\n\f\u00a0\u00ad]| {2}/;

/** Where to return to with {@link TextFlow.rollback}. */
export interface FlowMark {
  readonly pieces: number;
  readonly length: number;
  readonly gap: Gap;
}

/** Puts text together the way a browser sets it: white space collapses, blocks stand on lines of their own. */
export class TextFlow {
  readonly #pieces: string[] = [];
  #length = 0;
  #gap: Gap = '';

  /** UTF-16 code units so far. */
  get length(): number {
    return this.#length;
  }

  separate(gap: Gap): void {
    if (gaps.indexOf(gap) > gaps.indexOf(this.#gap)) this.#gap = gap;
  }

  /** A second break in a row makes a new paragraph, as authors mean it. */
  breakLine(): void {
    this.separate(this.#gap === '\n' ? '\n\n' : '\n');
  }

  /** Text in which white space collapses. Returns where it begins; undefined where it is white space only. */
  append(text: string): number | undefined {
    const collapsed = UNEVEN.test(text)
      ? text.replace(/[ \t\r\n\f\u00a0]+/g, ' ').replace(/\u00ad/g, '')
      : text;
    const start = collapsed.startsWith(' ') ? 1 : 0;
    if (start > 0) this.separate(' ');
    if (collapsed.length === start) return undefined;
    const end = collapsed.endsWith(' ') ? -1 : undefined;
    const begin = this.#push(collapsed.slice(start, end));
    if (end !== undefined) this.separate(' ');
    return begin;
  }

  /** A block of text that stays as it is, but for its line ends and the white space behind it. */
  appendVerbatim(text: string): void {
    const block = text.replace(/\r\n?/g, '\n').replace(/^\n/, '').trimEnd();
    if (block !== '') this.#push(block);
  }

  /** What was appended since a mark. */
  since(mark: FlowMark): string {
    return this.#pieces.slice(mark.pieces).join('');
  }

  mark(): FlowMark {
    return { pieces: this.#pieces.length, length: this.#length, gap: this.#gap };
  }

  /** Takes back what was appended since. */
  rollback(mark: FlowMark): void {
    this.#pieces.length = mark.pieces;
    this.#length = mark.length;
    this.#gap = mark.gap;
  }

  toString(): string {
    return this.#pieces.join('');
  }

  #push(text: string): number {
    if (this.#length > 0 && this.#gap !== '') {
      this.#pieces.push(this.#gap);
      this.#length += this.#gap.length;
    }
    this.#gap = '';
    const begin = this.#length;
    this.#pieces.push(text);
    this.#length += text.length;
    return begin;
  }
}
