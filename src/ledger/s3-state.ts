import { randomUUID } from 'node:crypto';
import type * as S3 from '@aws-sdk/client-s3';
import { EmbatchError } from '../core/errors.js';
import { createS3Client, type S3Location } from '../core/s3.js';
import { explainS3Error } from '../core/s3-errors.js';
import { sleep } from '../core/streams.js';
import type { Abortable, StateStore } from '../core/interfaces.js';
import { assertName } from './names.js';

/** User metadata that tells an object of ours from that of another writer. */
const TOKEN_KEY = 'embatch-put';
const MAX_CONFLICTS = 10;
const CONFLICT_WAIT_MS = 200;

interface Connection {
  readonly client: S3.S3Client;
  readonly sdk: typeof S3;
}

/** State as objects below a prefix. Needs a store that honours `If-None-Match: *` on PutObject, as S3 does. */
export function createS3State({ bucket, prefix }: S3Location): StateStore {
  const base = prefix.replace(/\/+$/, '');
  const uri = base === '' ? `s3://${bucket}` : `s3://${bucket}/${base}`;
  let opened: Promise<Connection> | undefined;

  const s3 = (): Promise<Connection> => (opened ??= connect());
  const keyOf = (name: string): string => (base === '' ? name : `${base}/${name}`);
  const named = (name: string): { Bucket: string; Key: string } => {
    assertName(name);
    return { Bucket: bucket, Key: keyOf(name) };
  };
  const guarded = async <T>(doing: string, { signal }: Abortable, work: () => Promise<T>): Promise<T> => {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof EmbatchError) throw error;
      const { reason, advice } = explainS3Error(error);
      throw new EmbatchError('STATE', `Cannot ${doing} the state at ${uri}: ${reason}. ${advice}`.trim(), {
        cause: error,
      });
    }
  };

  return {
    uri,

    get: (name, options: Abortable = {}) =>
      guarded('read', options, async () => {
        const { client, sdk } = await s3();
        try {
          const answer = await client.send(new sdk.GetObjectCommand(named(name)), aborting(options));
          return await answer.Body?.transformToByteArray();
        } catch (error) {
          if (explainS3Error(error).kind === 'no-key') return undefined;
          throw error;
        }
      }),

    put: (name, bytes, options: Abortable = {}) =>
      guarded('write', options, async () => {
        const { client, sdk } = await s3();
        await client.send(
          new sdk.PutObjectCommand({ ...named(name), Body: Buffer.from(bytes) }),
          aborting(options),
        );
      }),

    putIfAbsent: (name, bytes, options: Abortable = {}) =>
      guarded('write', options, async () => {
        const { client, sdk } = await s3();
        const token = randomUUID();
        const request = {
          ...named(name),
          Body: Buffer.from(bytes),
          IfNoneMatch: '*',
          Metadata: { [TOKEN_KEY]: token },
        };
        for (let conflicts = 1; ; conflicts++) {
          try {
            await client.send(new sdk.PutObjectCommand(request), aborting(options));
            return true;
          } catch (error) {
            const { kind } = explainS3Error(error);
            if (kind === 'conflict' && conflicts < MAX_CONFLICTS) {
              await sleep(CONFLICT_WAIT_MS * (0.5 + Math.random()), options.signal);
              continue;
            }
            if (kind !== 'precondition') throw error;
          }
          // The client itself repeats requests: its first try may have won, and only the answer been lost.
          try {
            const found = await client.send(new sdk.HeadObjectCommand(named(name)), aborting(options));
            return found.Metadata?.[TOKEN_KEY] === token;
          } catch (error) {
            // Deleted meanwhile; it was there, though, and not ours to have.
            if (explainS3Error(error).kind === 'no-key') return false;
            throw error;
          }
        }
      }),

    delete: (name, options: Abortable = {}) =>
      guarded('delete', options, async () => {
        const { client, sdk } = await s3();
        await client.send(new sdk.DeleteObjectCommand(named(name)), aborting(options));
      }),

    list: (namePrefix, options: Abortable = {}) =>
      guarded('list', options, async () => {
        const { client, sdk } = await s3();
        const names: string[] = [];
        const request = { Bucket: bucket, Prefix: keyOf(namePrefix) };
        for (let token: string | undefined, first = true; first || token !== undefined; first = false) {
          const page = await client.send(
            new sdk.ListObjectsV2Command({ ...request, ContinuationToken: token }),
            aborting(options),
          );
          // Keys are ours, and ASCII: no need for an encoding.
          for (const { Key: key } of page.Contents ?? []) {
            if (key !== undefined) names.push(base === '' ? key : key.slice(base.length + 1));
          }
          token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
        }
        return names.sort((a, b) => (a < b ? -1 : 1));
      }),

    async close() {
      if (opened !== undefined) (await opened).client.destroy();
      opened = undefined;
    },
  };
}

async function connect(): Promise<Connection> {
  return { client: await createS3Client(), sdk: await import('@aws-sdk/client-s3') };
}

function aborting({ signal }: Abortable): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}
