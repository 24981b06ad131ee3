import { EmbatchError } from '../core/errors.js';

/**
 * What `--document-template` puts around the text of a chunk. `{text}` stands in it exactly once, so a
 * template is what comes before the text and what comes after it.
 */
export interface Template {
  readonly before: readonly TemplatePart[];
  readonly after: readonly TemplatePart[];
  /** Names to be filled in besides `text`, each once, in the order of their first use. */
  readonly names: readonly string[];
}

export type TemplatePart = { readonly literal: string } | { readonly name: string };

/** Names that mean something of the document; every other name is a field of the record. */
export const TITLE = 'title';
export const HEADING = 'heading';
const TEXT = 'text';

/**
 * Parses a template such as `title: {title} | text: {text}`; `{{` and `}}` stand for single braces.
 * Throws USAGE: a brace without its partner, an empty name, or not exactly one `{text}`.
 */
export function parseTemplate(source: string): Template {
  const parts: TemplatePart[] = [];
  let end = 0;
  for (const match of source.matchAll(/\{\{|\}\}|\{([^{}]*)\}|[{}]/g)) {
    const [token, name] = match;
    parts.push({ literal: source.slice(end, match.index) });
    end = match.index + token.length;
    if (token === '{{' || token === '}}') {
      parts.push({ literal: token.charAt(0) });
    } else if (name === undefined) {
      throw usage(source, `has a "${token}" without its partner at character ${match.index + 1}`);
    } else if (name.trim() === '') {
      throw usage(source, `has an empty name at character ${match.index + 1}`);
    } else {
      parts.push({ name: name.trim() });
    }
  }
  parts.push({ literal: source.slice(end) });

  const isText = (part: TemplatePart): boolean => 'name' in part && part.name === TEXT;
  const texts = parts.filter(isText).length;
  if (texts !== 1) throw usage(source, `holds {text} ${texts} times instead of once`);
  const at = parts.findIndex(isText);
  const names = parts.flatMap((part) => ('name' in part && part.name !== TEXT ? [part.name] : []));
  return { before: parts.slice(0, at), after: parts.slice(at + 1), names: [...new Set(names)] };
}

function usage(source: string, what: string): EmbatchError {
  return new EmbatchError(
    'USAGE',
    `The document template ${JSON.stringify(source)} ${what}. Use {text} once, {title}, {heading} or a field's ` +
      'name as you like, and {{ or }} for a brace.',
  );
}

/** Fills in values; a name without one is empty. */
export function render(parts: readonly TemplatePart[], values: ReadonlyMap<string, string>): string {
  return parts.map((part) => ('name' in part ? (values.get(part.name) ?? '') : part.literal)).join('');
}

/**
 * A record's field as text: `a.b` names the field `a.b` or else `b` within `a`. Missing and null are empty;
 * lists are joined by commas, other structures become JSON.
 */
export function fieldText(fields: Readonly<Record<string, unknown>> | undefined, name: string): string {
  return valueText(lookUp(fields, name)).trim();
}

function lookUp(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Object.hasOwn(value, name)) return (value as Record<string, unknown>)[name];
  for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) {
    const inner = Object.hasOwn(value, name.slice(0, dot))
      ? lookUp((value as Record<string, unknown>)[name.slice(0, dot)], name.slice(dot + 1))
      : undefined;
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function valueText(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(valueText).join(', ');
  return JSON.stringify(value);
}
