import type { Metadata } from '../../core/interfaces.js';

/**
 * `flat_object` indexes each leaf as the term `path=value`, has no `ignore_above`, and refuses the whole
 * document where a term is longer than Lucene takes (32,766 bytes). Entries with such a leaf are kept beside
 * it, unindexed but stored.
 */

type Fields = Readonly<Record<string, unknown>>;

const UNINDEXED = 'fields_unindexed';

/** Metadata in the index. A mapped type: what was read as a `Record` cannot be said to be an interface. */
export type StoredMetadata = { readonly [Name in keyof Metadata]: Metadata[Name] } & {
  readonly [UNINDEXED]?: Fields;
};

/** Bytes of Lucene's limit that we leave to the field's own name and the separators. */
const MAX_TERM_BYTES = 32_000;
/** The parser of the cluster gives up at 1,000 levels, and no filter reaches that far. */
const MAX_DEPTH = 100;
/** A text of so few UTF-16 code units cannot hold a leaf that is too long, whatever is in it. */
const SURELY_SHORT = MAX_TERM_BYTES / 3;

/** `{ fields }`, with what cannot be indexed under `fields_unindexed`. */
export function splitFields(fields: Fields): Fields {
  if (JSON.stringify(fields).length < SURELY_SHORT) return { fields };
  const entries = Object.entries(fields);
  const unindexed = entries.filter(([name, value]) => !isIndexable(value, Buffer.byteLength(name), 1));
  if (unindexed.length === 0) return { fields };
  const indexed = entries.filter((entry) => !unindexed.includes(entry));
  return { fields: Object.fromEntries(indexed), [UNINDEXED]: Object.fromEntries(unindexed) };
}

/** The inverse: metadata as it was given. */
export function joinFields({ [UNINDEXED]: unindexed, ...metadata }: StoredMetadata): Metadata {
  return unindexed === undefined ? metadata : { ...metadata, fields: { ...metadata.fields, ...unindexed } };
}

function isIndexable(value: unknown, pathBytes: number, depth: number): boolean {
  if (depth > MAX_DEPTH || pathBytes > MAX_TERM_BYTES) return false;
  if (typeof value === 'string') return pathBytes + Buffer.byteLength(value) <= MAX_TERM_BYTES;
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every((item) => isIndexable(item, pathBytes, depth + 1));
  return Object.entries(value).every(([name, item]) =>
    isIndexable(item, pathBytes + 1 + Buffer.byteLength(name), depth + 1),
  );
}
