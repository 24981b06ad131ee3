import type { Document, DocumentOutcome, Heading } from '../core/interfaces.js';

/** What a parser finds in a text that is one document. */
export interface Extracted {
  readonly text: string;
  readonly title?: string | undefined;
  readonly headings?: readonly Heading[];
  readonly fields?: Document['fields'];
}

export function wholeDocument({ text, title, headings = [], fields }: Extracted): DocumentOutcome {
  if (text.trim() === '') return { kind: 'skipped', record: null, reason: 'empty' };
  return { kind: 'document', document: { record: null, text, title, headings, fields }, mapping: undefined };
}
