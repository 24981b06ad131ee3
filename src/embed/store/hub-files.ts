import { EmbatchError } from '../../core/errors.js';
import type { ContentHash } from './content-hash.js';
import { checkRemotePath } from './remote-path.js';

/** A file of a model on the hub. */
export interface HubFile {
  /** Relative, with `/`; checked to stay inside. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Names the file's content in the cache, as the ETag of the hub does. */
  readonly hash: ContentHash;
  /** Git's own object id; for large files that of the pointer to them. */
  readonly gitId: string | undefined;
  /** What the hub's newer storage calls it; kept for the Python tools. */
  readonly xetHash: string | undefined;
}

export interface TreeEntry {
  readonly path: string;
  readonly size: number | undefined;
  readonly hash: ContentHash | undefined;
  readonly gitId: string | undefined;
  readonly xetHash: string | undefined;
}

const SHA1 = /^[0-9a-f]{40}$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** One entry of `GET /api/models/{id}/tree/{commit}`; undefined for folders. Error: MODEL for an unsafe path. */
export function readTreeEntry(raw: unknown): TreeEntry | undefined {
  const { type, path, size, oid, lfs, xetHash } = (raw ?? {}) as Record<string, unknown>;
  if (typeof path !== 'string' || (type !== 'file' && type !== undefined)) return undefined;
  checkRemotePath(path, 'the hub');
  const large = (lfs ?? {}) as Record<string, unknown>;
  const gitId = matching(oid, SHA1);
  // Older answers write the hash of a large file as `sha256:…`.
  const sha256 = matching(
    typeof large['oid'] === 'string' ? large['oid'].replace(/^sha256:/, '') : '',
    SHA256,
  );
  return {
    path,
    size: byteCount(large['size']) ?? byteCount(size),
    hash:
      sha256 !== undefined
        ? { kind: 'sha256', value: sha256 }
        : gitId !== undefined && lfs === undefined
          ? { kind: 'git', value: gitId }
          : undefined,
    gitId,
    xetHash: matching(xetHash, SHA256),
  };
}

/** Completes an entry from the headers of the resolve route, where the tree did not say all. Error: MODEL. */
export function readHubFile(entry: TreeEntry, headers: Headers | undefined, endpoint: string): HubFile {
  const hash = entry.hash ?? hashOfEtag(headers?.get('x-linked-etag') ?? headers?.get('etag') ?? '');
  const length = headers?.get('x-linked-size') ?? headers?.get('content-length');
  const size = entry.size ?? (length === null || length === undefined ? undefined : Number(length));
  if (hash !== undefined && size !== undefined) return { ...entry, hash, size };
  throw new EmbatchError(
    'MODEL',
    `${endpoint} does not say ${hash === undefined ? 'which hash' : 'how many bytes'} ${entry.path} has, so it could ` +
      'not be checked. Is HF_ENDPOINT the address of a hub?',
  );
}

/** The ETag of a file on the hub is its hash: git's, or SHA-256 for large files. */
function hashOfEtag(etag: string): ContentHash | undefined {
  const value = etag.replace(/^W\//, '').replaceAll('"', '');
  if (SHA256.test(value)) return { kind: 'sha256', value };
  return SHA1.test(value) ? { kind: 'git', value } : undefined;
}

function matching(value: unknown, pattern: RegExp): string | undefined {
  return typeof value === 'string' && pattern.test(value) ? value : undefined;
}

function byteCount(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
