import { Parser } from 'htmlparser2';
import type { Extracted } from './extracted.js';
import { TextFlow } from './text-flow.js';

interface Frame {
  readonly name: string;
  /** It stands within a line of text. */
  readonly inline: boolean;
  /** Text has come in it directly. */
  hasText: boolean;
}

/**
 * The text of all elements. What an element is cannot be known by its name: one that begins after text of
 * its parent stands within that text, all others are blocks on lines of their own. Nothing is left out. The
 * title is that of the first element `title`.
 */
export function parseXml(xml: string): Extracted {
  const flow = new TextFlow();
  const frames: Frame[] = [];
  let title: string | undefined;
  let titleText: string | undefined;
  const parser = new Parser(
    {
      onopentag(name) {
        const inline = frames.at(-1)?.hasText ?? false;
        frames.push({ name, inline, hasText: false });
        if (!inline) flow.separate('\n');
        if (title === undefined && localName(name) === 'title') titleText = '';
      },
      ontext(text) {
        if (titleText !== undefined) titleText += text;
        const frame = frames.at(-1);
        if (flow.append(text) !== undefined && frame !== undefined) frame.hasText = true;
      },
      onclosetag(name) {
        if (frames.pop()?.inline === false) flow.separate('\n');
        if (titleText === undefined || localName(name) !== 'title') return;
        title = titleText.replace(/\s+/g, ' ').trim() || undefined;
        titleText = undefined;
      },
    },
    { xmlMode: true },
  );
  parser.end(xml);
  return { text: flow.toString(), title };
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1).toLowerCase();
}
