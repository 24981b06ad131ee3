import { randomUUID } from 'node:crypto';
import type * as S3 from '@aws-sdk/client-s3';
import type { Abortable, Closable } from './interfaces.js';
import { createS3Client, type S3Location } from './s3.js';
import { explainS3Error } from './s3-errors.js';
import { sleep } from './streams.js';

/**
 * Objects of ours below a prefix, named relative to it. Errors are those of the S3 client: `explainS3Error` tells
 * what they mean.
 */
export interface S3Prefix extends Closable {
  /** `s3://bucket/prefix`, without a final slash. */
  readonly uri: string;
  /** The object's bytes; undefined where the store sent none. Rejects where there is no such object. */
  get(name: string, options?: Abortable): Promise<S3.GetObjectCommandOutput['Body']>;
  /** Creates or replaces, in one step. */
  put(name: string, bytes: Uint8Array | string, options?: Abortable): Promise<void>;
  /** Creates; false, and nothing written, where the name exists. One of several racing callers gets true. */
  create(name: string, bytes: Uint8Array | string, options?: Abortable): Promise<boolean>;
  /** Idempotent. */
  delete(name: string, options?: Abortable): Promise<void>;
  /** Names that begin with `start`, as S3 orders them; with a `delimiter`, none that has one after `start`. */
  list(start: string, options?: Abortable & { readonly delimiter?: string }): Promise<string[]>;
}

/** User metadata that tells an object of ours from that of another writer. */
const TOKEN_KEY = 'embatch-put';
const MAX_CONFLICTS = 10;
const CONFLICT_WAIT_MS = 200;

interface Connection {
  readonly client: S3.S3Client;
  readonly sdk: typeof S3;
}

/**
 * Connects at the first call. `create` needs a store that honours `If-None-Match: *` on PutObject, as S3 does.
 */
export function createS3Prefix({ bucket, prefix }: S3Location): S3Prefix {
  const base = prefix.replace(/\/+$/, '');
  const folder = base === '' ? '' : `${base}/`;
  let opened: Promise<Connection> | undefined;
  const s3 = (): Promise<Connection> => (opened ??= connect());
  const named = (name: string): ObjectName => ({ Bucket: bucket, Key: `${folder}${name}` });

  return {
    uri: base === '' ? `s3://${bucket}` : `s3://${bucket}/${base}`,

    async get(name, options = {}) {
      const { client, sdk } = await s3();
      return (await client.send(new sdk.GetObjectCommand(named(name)), aborting(options))).Body;
    },

    async put(name, bytes, options = {}) {
      const { client, sdk } = await s3();
      const request = { ...named(name), Body: bodyOf(bytes) };
      await client.send(new sdk.PutObjectCommand(request), aborting(options));
    },

    create: async (name, bytes, options = {}) =>
      createObject(await s3(), named(name), bodyOf(bytes), options),

    async delete(name, options = {}) {
      const { client, sdk } = await s3();
      await client.send(new sdk.DeleteObjectCommand(named(name)), aborting(options));
    },

    async list(start, { signal, delimiter } = {}) {
      const { client, sdk } = await s3();
      const names: string[] = [];
      const request = { Bucket: bucket, Prefix: `${folder}${start}`, Delimiter: delimiter };
      for (let token: string | undefined, first = true; first || token !== undefined; first = false) {
        const page = await client.send(
          new sdk.ListObjectsV2Command({ ...request, ContinuationToken: token }),
          aborting({ signal }),
        );
        // Keys are ours, and ASCII: no need for an encoding.
        for (const { Key: key } of page.Contents ?? [])
          if (key !== undefined) names.push(key.slice(folder.length));
        token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      }
      return names;
    },

    async close() {
      if (opened !== undefined) (await opened).client.destroy();
      opened = undefined;
    },
  };
}

interface ObjectName {
  readonly Bucket: string;
  readonly Key: string;
}

async function createObject(
  { client, sdk }: Connection,
  object: ObjectName,
  bytes: Uint8Array,
  options: Abortable,
): Promise<boolean> {
  const token = randomUUID();
  const request = { ...object, Body: bytes, IfNoneMatch: '*', Metadata: { [TOKEN_KEY]: token } };
  for (let conflicts = 1; ; conflicts++) {
    try {
      await client.send(new sdk.PutObjectCommand(request), aborting(options));
      return true;
    } catch (error) {
      const { kind } = explainS3Error(error);
      if (kind === 'precondition') break;
      if (kind !== 'conflict' || conflicts >= MAX_CONFLICTS) throw error;
      await sleep(CONFLICT_WAIT_MS * (0.5 + Math.random()), options.signal);
    }
  }
  // The client itself repeats requests: its first try may have won, and only the answer been lost.
  try {
    const found = await client.send(new sdk.HeadObjectCommand(object), aborting(options));
    return found.Metadata?.[TOKEN_KEY] === token;
  } catch (error) {
    // Deleted meanwhile; it was there, though, and not ours to have.
    if (explainS3Error(error).kind === 'no-key') return false;
    throw error;
  }
}

function bodyOf(bytes: Uint8Array | string): Uint8Array {
  return typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
}

async function connect(): Promise<Connection> {
  return { client: await createS3Client(), sdk: await import('@aws-sdk/client-s3') };
}

function aborting({ signal }: Abortable): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}
