import type * as S3 from '@aws-sdk/client-s3';
import { createS3Client, type S3Location } from '../../core/s3.js';
import { explainS3Error } from '../../core/s3-errors.js';
import { sleep } from '../../core/streams.js';
import type { Abortable } from '../../core/interfaces.js';
import type { Appender, Place } from './place.js';

const MAX_CONFLICTS = 10;
const CONFLICT_WAIT_MS = 200;

interface Connection {
  readonly client: S3.S3Client;
  readonly sdk: typeof S3;
}

/** Objects below a prefix. What is appended becomes one object for each write: an object cannot grow. */
export function createS3Place({ bucket, prefix }: S3Location): Place {
  const base = prefix.replace(/\/+$/, '');
  const folder = base === '' ? '' : `${base}/`;
  let opened: Promise<Connection> | undefined;
  const s3 = (): Promise<Connection> => (opened ??= connect());
  const named = (name: string): { Bucket: string; Key: string } => ({
    Bucket: bucket,
    Key: `${folder}${name}`,
  });

  const create: Place['create'] = async (name, bytes, options = {}) => {
    const { client, sdk } = await s3();
    const request = { ...named(name), Body: bytes, IfNoneMatch: '*' };
    for (let conflicts = 1; ; conflicts++) {
      try {
        await client.send(new sdk.PutObjectCommand(request), aborting(options));
        return true;
      } catch (error) {
        const { kind } = explainS3Error(error);
        if (kind === 'precondition') return false;
        if (kind !== 'conflict' || conflicts >= MAX_CONFLICTS) throw error;
        await sleep(CONFLICT_WAIT_MS * (0.5 + Math.random()), options.signal);
      }
    }
  };

  return {
    uri: `s3://${bucket}/${base}`,

    async list(options = {}) {
      const { client, sdk } = await s3();
      const names: string[] = [];
      const request = { Bucket: bucket, Prefix: folder, Delimiter: '/' };
      for (let token: string | undefined, first = true; first || token !== undefined; first = false) {
        const page = await client.send(
          new sdk.ListObjectsV2Command({ ...request, ContinuationToken: token }),
          aborting(options),
        );
        for (const { Key: key } of page.Contents ?? [])
          if (key !== undefined) names.push(key.slice(folder.length));
        token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      }
      return names;
    },

    async *read(name, options = {}) {
      const { client, sdk } = await s3();
      const answer = await client.send(new sdk.GetObjectCommand(named(name)), aborting(options));
      if (answer.Body !== undefined) yield* answer.Body as AsyncIterable<Uint8Array>;
    },

    create,

    async replace(name, pieces, options = {}) {
      const { client, sdk } = await s3();
      const all: Uint8Array[] = [];
      // As large as one write was: nothing else makes objects here.
      for await (const piece of pieces) all.push(piece);
      await client.send(
        new sdk.PutObjectCommand({ ...named(name), Body: Buffer.concat(all) }),
        aborting(options),
      );
    },

    async remove(name, options = {}) {
      const { client, sdk } = await s3();
      await client.send(new sdk.DeleteObjectCommand(named(name)), aborting(options));
    },

    append: (nextName): Appender => ({
      async write(bytes, options = {}) {
        // A name may be taken because the client's own repetition found what it had written before: then the rows
        // are there twice, which readers and `finish` put right.
        while (!(await create(nextName(), bytes, options)));
      },
      close: () => Promise.resolve(),
    }),

    explain(error) {
      const { reason, advice } = explainS3Error(error);
      return advice === '' ? reason : `${reason}. ${advice.replace(/\.$/, '')}`;
    },

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
