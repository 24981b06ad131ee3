import { createHash } from 'node:crypto';
import type { RecordKey } from './interfaces.js';

/** Object URI: source id, `/`, key; the key exactly as listed, unescaped. */
export function objectUri(sourceId: string, key: string): string {
  return `${sourceId}/${key}`;
}

/**
 * Chunk id: base64url of SHA-256 over the UTF-8 JSON array `[object URI, record, chunk]`; 43 characters.
 * A hash, because OpenSearch limits `_id` to 512 bytes while an S3 key may have 1,024 (docs/design.md §4).
 */
export function chunkId(uri: string, record: RecordKey, chunk: number): string {
  return createHash('sha256')
    .update(JSON.stringify([uri, record, chunk]))
    .digest('base64url');
}

/** One text per record, for sets of them: its JSON, as in chunk ids. */
export function recordName(record: RecordKey): string {
  return JSON.stringify(record);
}

/** What `embatch.object` holds: base64url of SHA-256 of the object URI; 43 characters. */
export function objectHash(uri: string): string {
  return createHash('sha256').update(uri).digest('base64url');
}
