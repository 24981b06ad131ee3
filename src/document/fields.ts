import type { DocumentOutcome, FieldMapping, RecordKey } from '../core/interfaces.js';
import { isJsonObject, kindOfJson } from './json-text.js';

/** Names that are tried in this order, in any case, where no field is given. */
const usualTextNames = ranked(
  'text',
  'content',
  'contents',
  'body',
  'page_content',
  'pagecontent',
  'passage',
  'document',
  'chunk',
  'article',
  'full_text',
  'raw_text',
);
const usualIdNames = ranked('_id', 'id', 'doc_id', 'docid', 'document_id', 'uuid', 'pk');
const usualTitleNames = ranked('title', 'headline', 'subject', 'name');
/** Spares wide tables the lower-casing of every column in every row. */
const LONGEST_USUAL_NAME = Math.max(
  ...[usualTextNames, usualIdNames, usualTitleNames].flatMap((names) =>
    [...names.keys()].map((name) => name.length),
  ),
);

/** Sinks and their stores refuse or crash on what is nested deeper. */
const MAX_DEPTH = 100;
/** So many of a record's fields are named in a message. */
const MAX_NAMED_FIELDS = 12;

/** A record's fields in its own order; names are distinct. */
export type Fields = readonly (readonly [name: string, value: unknown])[];

interface Field {
  readonly name: string;
  readonly value: unknown;
}

/**
 * The document in a record.
 *
 * - Text: the field `textField`; else the first usual name that holds text; else all strings as `name: value`
 *   lines. Numbers and booleans are written out, arrays of them and of strings one a line. A null, or white
 *   space, is skipped as `empty`; a named field that is missing or holds an object fails.
 * - Id: the field `idField`, without which the record fails; else the first usual name that holds a string or
 *   a number; else `position`. A file that is one document (`position` null) has none.
 * - `fields`: all others that have a value. They are all kept where the text is made of all strings.
 */
export function documentOfFields(
  fields: Fields,
  position: number | null,
  mapping: FieldMapping,
): DocumentOutcome {
  const failed = (reason: string): DocumentOutcome => ({ kind: 'failed', record: position, reason });
  if (fields.some(([, value]) => isDeeper(value, MAX_DEPTH))) {
    return failed(`the record is nested deeper than ${MAX_DEPTH} levels`);
  }

  const id = position === null ? undefined : findId(fields, mapping.idField);
  if (id === undefined && position !== null && mapping.idField !== undefined) {
    return failed(`no id in the field ${quote(mapping.idField)} (--id-field); ${describe(fields)}`);
  }
  const record: RecordKey = id === undefined ? position : { id: String(id.value) };
  const place = id === undefined || position === null ? {} : { position };

  const textField = findText(fields, mapping.textField);
  if (textField === undefined && mapping.textField !== undefined) {
    return failed(`no field ${quote(mapping.textField)} (--text-field); ${describe(fields)}`);
  }
  const text = textField === undefined ? allStrings(fields, id?.name) : writtenOut(textField.value);
  if (textField !== undefined && text === undefined) {
    return failed(`the field ${quote(textField.name)} holds ${kindOfJson(textField.value)}, not text`);
  }
  if (text === undefined || text.trim() === '') return { kind: 'skipped', record, reason: 'empty', ...place };

  const titleField = findTitle(fields, mapping.titleField);
  const rest = [textField, id, titleField]
    .reduce((left, used) => (used === undefined ? left : without(left, used.name)), fields)
    .filter(([, value]) => value !== null && value !== '');
  return {
    kind: 'document',
    document: {
      record,
      text,
      title: titleField === undefined ? undefined : writtenOut(titleField.value)?.trim(),
      headings: [],
      fields: rest.length > 0 ? Object.fromEntries(rest) : undefined,
    },
    mapping: [
      textField === undefined ? 'text from all string fields' : `text from ${quote(textField.name)}`,
      ...(position === null ? [] : [id === undefined ? 'id from the position' : `id from ${quote(id.name)}`]),
      ...(titleField === undefined ? [] : [`title from ${quote(titleField.name)}`]),
    ].join(', '),
    ...place,
  };
}

function findText(fields: Fields, given: string | undefined): Field | undefined {
  if (given !== undefined) return field(fields, given);
  const candidates = usualFields(fields, usualTextNames);
  return (
    candidates.find(({ value }) => value !== null && writtenOut(value) !== undefined) ??
    candidates.find(({ value }) => value === null)
  );
}

function findId(fields: Fields, given: string | undefined): Field | undefined {
  const candidates = given === undefined ? usualFields(fields, usualIdNames) : [field(fields, given)];
  return candidates.find(
    (candidate) =>
      (typeof candidate?.value === 'string' && candidate.value !== '') ||
      typeof candidate?.value === 'number',
  );
}

function findTitle(fields: Fields, given: string | undefined): Field | undefined {
  const candidates = given === undefined ? usualFields(fields, usualTitleNames) : [field(fields, given)];
  return candidates.find((candidate) => (writtenOut(candidate?.value ?? null) ?? '').trim() !== '');
}

/** Those of the names that the record has, in the order of the names. */
function usualFields(fields: Fields, ranks: ReadonlyMap<string, number>): Field[] {
  const found: Field[] = [];
  for (const [name, value] of fields) {
    const rank = name.length > LONGEST_USUAL_NAME ? undefined : ranks.get(name.toLowerCase());
    if (rank !== undefined) found[rank] ??= { name, value };
  }
  return found.filter(Boolean);
}

function ranked(...names: readonly string[]): ReadonlyMap<string, number> {
  return new Map(names.map((name, rank) => [name, rank]));
}

/** By its exact name, else by a path of names with dots between them into nested objects. */
function field(fields: Fields, path: string): Field | undefined {
  const exact = fields.find(([name]) => name === path);
  if (exact !== undefined) return { name: path, value: exact[1] };
  const [first = '', ...rest] = path.split('.');
  let value = rest.length === 0 ? undefined : fields.find(([name]) => name === first)?.[1];
  for (const name of rest) {
    if (!isJsonObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value === undefined ? undefined : { name: path, value };
}

/** All fields but that of a name or path. */
function without(fields: Fields, path: string): Fields {
  if (fields.some(([name]) => name === path)) return fields.filter(([name]) => name !== path);
  const dot = path.indexOf('.');
  if (dot < 0) return fields;
  return fields.map(([name, value]) =>
    name === path.slice(0, dot) && isJsonObject(value)
      ? [name, Object.fromEntries(without(Object.entries(value), path.slice(dot + 1)))]
      : [name, value],
  );
}

/** A value as text; empty for null, undefined for what holds objects. */
function writtenOut(value: unknown): string | undefined {
  if (value === null) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (!Array.isArray(value)) return undefined;
  const lines = value.map((item: unknown) => (Array.isArray(item) ? undefined : writtenOut(item)));
  return lines.includes(undefined) ? undefined : lines.join('\n');
}

/** Every string of the record, also of nested objects, as a line `name: value`; all but the id. */
function allStrings(fields: Fields, idName: string | undefined): string {
  const lines: string[] = [];
  const collect = (name: string, value: unknown): void => {
    if (typeof value === 'string') {
      if (value.trim() !== '') lines.push(`${name}: ${value}`);
    } else if (Array.isArray(value)) {
      for (const item of value) collect(name, item);
    } else if (isJsonObject(value)) {
      for (const [key, item] of Object.entries(value)) collect(`${name}.${key}`, item);
    }
  };
  for (const [name, value] of fields) if (name !== idName) collect(name, value);
  return lines.join('\n');
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((item) => isDeeper(item, levels - 1));
}

function describe(fields: Fields): string {
  const names = fields.slice(0, MAX_NAMED_FIELDS).map(([name]) => quote(name));
  const more = fields.length - names.length;
  if (names.length === 0) return 'the record has no fields';
  return `the record has ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

const quote = (name: string): string => JSON.stringify(name);
