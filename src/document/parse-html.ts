import { Parser } from 'htmlparser2';
import type { Heading } from '../core/interfaces.js';
import type { Extracted } from './extracted.js';
import { gapAround, isBoilerplate, isHeader, neverText, type Attributes } from './html-elements.js';
import { TextFlow, type FlowMark } from './text-flow.js';

/** A form with more text than this (UTF-16 code units) is a page that lies within a form. */
const FORM_TEXT = 500;

/**
 * The text of a page without what surrounds it: menus, headers, footers, forms and the like are left out.
 * Where nothing would remain, everything is text but what never is (scripts, styles, …). Blocks stand on
 * lines of their own, cells are separated by tabs, `pre` stays as it is. The title is that of the page, else
 * its first heading.
 */
export function parseHtml(html: string): Extracted {
  const page = extract(html, true);
  return page.text === '' ? extract(html, false) : page;
}

/** In a page header only its main heading is taken: it is often the only one. */
type Visibility = 'shown' | 'main-heading' | 'hidden';

interface Frame {
  readonly name: string;
  readonly visibility: Visibility;
  /** In `article` and the like, where a header or an aside belongs to the text. */
  readonly inArticle: boolean;
  /** Set for forms. */
  readonly before: (FlowMark & { readonly headings: number }) | undefined;
}

const root: Frame = { name: '', visibility: 'shown', inArticle: false, before: undefined };

function extract(html: string, dropBoilerplate: boolean): Extracted {
  const flow = new TextFlow();
  const headings: Heading[] = [];
  const frames: Frame[] = [];
  let title: string | undefined;
  let titleText: string | undefined;
  let heading: { level: number; start: number | undefined; text: string } | undefined;
  let preformatted: string | undefined;

  const closeHeading = (): void => {
    const text = heading?.text.replace(/\s+/g, ' ').trim() ?? '';
    if (heading?.start !== undefined && text !== '') {
      headings.push({ start: heading.start, level: heading.level, text });
    }
    heading = undefined;
  };

  const visibilityOf = (name: string, attributes: Attributes, parent: Frame): Visibility => {
    if (parent.visibility === 'hidden' || neverText.has(name)) return 'hidden';
    if (!dropBoilerplate) return 'shown';
    if (parent.visibility === 'main-heading') return name === 'h1' ? 'shown' : 'main-heading';
    if (name === 'aside' && parent.inArticle) return 'shown';
    if (isBoilerplate(name, attributes)) return 'hidden';
    return !parent.inArticle && isHeader(name, attributes) ? 'main-heading' : 'shown';
  };

  const onopentag = (name: string, attributes: Attributes): void => {
    const parent = frames.at(-1) ?? root;
    const visibility = visibilityOf(name, attributes, parent);
    const inArticle = parent.inArticle || name === 'article' || name === 'main' || name === 'section';
    const shown = visibility === 'shown';
    const isForm = shown && dropBoilerplate && name === 'form';
    const before = isForm ? { ...flow.mark(), headings: headings.length } : undefined;
    frames.push({ name, visibility, inArticle, before });
    if (name === 'title' && title === undefined && parent.visibility !== 'hidden') titleText = '';
    if (!shown) return;
    if (name === 'br') {
      if (preformatted === undefined) flow.breakLine();
      else preformatted += '\n';
    }
    if (preformatted !== undefined) return;
    flow.separate(name === 'ul' || name === 'ol' ? listGap(parent) : gapAround(name));
    if (name === 'pre') preformatted = '';
    const level = headingLevel(name);
    if (level !== undefined) {
      closeHeading();
      heading = { level, start: undefined, text: '' };
    }
  };

  const ontext = (text: string): void => {
    if (titleText !== undefined) {
      titleText += text;
    } else if ((frames.at(-1) ?? root).visibility === 'shown') {
      if (preformatted === undefined) {
        const start = flow.append(text);
        if (heading !== undefined) {
          heading.start ??= start;
          heading.text += text;
        }
      } else preformatted += text;
    }
  };

  const onclosetag = (name: string): void => {
    const frame = frames.pop();
    if (name === 'title' && titleText !== undefined) {
      title = titleText.replace(/\s+/g, ' ').trim() || undefined;
      titleText = undefined;
    }
    if (frame?.visibility !== 'shown') return;
    if (name === 'pre' && preformatted !== undefined) {
      flow.appendVerbatim(preformatted);
      preformatted = undefined;
    }
    if (preformatted !== undefined) return;
    if (frame.before !== undefined && flow.length - frame.before.length < FORM_TEXT) {
      flow.rollback(frame.before);
      headings.length = frame.before.headings;
    }
    if (headingLevel(name) !== undefined) closeHeading();
    flow.separate(name === 'ul' || name === 'ol' ? listGap(frames.at(-1)) : gapAround(name));
  };

  // Self-closing tags and CDATA occur in XHTML; in HTML nobody means anything else by them.
  const parser = new Parser(
    { onopentag, ontext, onclosetag },
    { recognizeSelfClosing: true, recognizeCDATA: true },
  );
  parser.end(html);
  closeHeading();
  return { text: flow.toString(), title: title ?? headings[0]?.text, headings };
}

function listGap(parent: Frame | undefined): '\n' | '\n\n' {
  return parent?.name === 'li' ? '\n' : '\n\n';
}

function headingLevel(name: string): number | undefined {
  return /^h[1-6]$/.test(name) ? Number(name[1]) : undefined;
}
