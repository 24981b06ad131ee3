import { createHash } from 'node:crypto';
import { parseS3Uri } from '../core/s3.js';

/** Sinks that are a folder or an S3 prefix: the state lies in it. */
const folderSink = /^(?:lancedb|jsonl|parquet):(.+)$/s;
const STATE_FOLDER = '.embatch';
const SLUG_LENGTH = 60;

/**
 * Where the state of a run lies unless `--state` says otherwise: inside a sink that is a folder or an S3 prefix,
 * else in `./.embatch/` under a name made of source and sink. Looks at nothing but the two URIs.
 */
export function defaultStateUri(sourceUri: string, sinkUri: string): string {
  const place = folderSink.exec(sinkUri)?.[1]?.replace(/(?<=[^/])\/+$/, '');
  if (place !== undefined && (parseS3Uri(place) !== undefined || !place.includes('://'))) {
    return place === '/' ? `/${STATE_FOLDER}` : `${place}/${STATE_FOLDER}`;
  }
  const sink = withoutUserInfo(sinkUri);
  const hash = createHash('sha256')
    .update(JSON.stringify([sourceUri, sink]))
    .digest('hex')
    .slice(0, 8);
  return `${STATE_FOLDER}/${slug(`${sourceUri} ${sink}`)}-${hash}`;
}

/** A name and password in a URI must not show in the name of a folder. */
function withoutUserInfo(uri: string): string {
  return uri.replace(/(:\/\/)[^/@]*@/, '$1');
}

/** The last part is the telling one where not all fits. */
function slug(text: string): string {
  const words = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return words.slice(-SLUG_LENGTH).replace(/^-+/, '');
}
