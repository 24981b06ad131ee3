import { randomUUID } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Connection } from '@lancedb/lancedb';
import type { Schema } from 'apache-arrow';
import { systemErrorCode } from '../../core/errors.js';
import { createS3Client, parseS3Uri } from '../../core/s3.js';
import { explainS3Error } from '../../core/s3-errors.js';
import { sleep } from '../../core/streams.js';
import type { LanceDbConfig } from './config.js';
import { isMissingTable, isUnfinishedTable } from './failures.js';

export const TABLE = 'chunks';

const STAGING_PREFIX = '.create-';
const stagingPattern = /^\.create-[0-9a-f-]{36}$/;

/** A claim that stands unchanged for so long is of a process that has died. */
const CLAIM_MS = 60_000;
/** Whoever needed longer to begin does not: others may take the claim for dead before the table is there. */
const START_WITHIN_MS = 20_000;
const CLAIM_WAIT_MS = 200;

export interface Creation {
  readonly config: LanceDbConfig;
  readonly schema: Schema;
  readonly signal: AbortSignal | undefined;
  readonly connect: (location: string) => Promise<Connection>;
}

/**
 * Creates the table unless it is there. LanceDB's own `create` is no help: when two do it at once, the later commit
 * overwrites the table of the first, with whatever rows are in it by then. Resolves also where another was first.
 */
export async function createOnce(creation: Creation): Promise<void> {
  await (creation.config.isLocal ? createLocally(creation) : createOnS3(creation));
}

/** A folder that is complete is moved into place, which succeeds for one of several only. */
async function createLocally({ config, schema, connect }: Creation): Promise<void> {
  const staging = join(config.location, `${STAGING_PREFIX}${randomUUID()}`);
  try {
    const connection = await connect(staging);
    (await connection.createEmptyTable(TABLE, schema)).close();
    connection.close();
    await rename(join(staging, `${TABLE}.lance`), join(config.location, `${TABLE}.lance`));
  } catch (error) {
    const another = process.platform === 'win32' ? 'EPERM' : 'ENOTEMPTY';
    if (![another, 'EEXIST'].includes(systemErrorCode(error) ?? '')) throw error;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Whether a folder beside the table is one that is being created, or was, by a process that was killed. */
export function isStagingName(name: string): boolean {
  return stagingPattern.test(name);
}

/** Whoever puts the claim creates, having looked again; the others wait for it to go, or to prove dead. */
async function createOnS3({ config, schema, signal, connect }: Creation): Promise<void> {
  const { bucket, prefix } = parseS3Uri(config.location) ?? { bucket: '', prefix: '' };
  const object = { Bucket: bucket, Key: `${prefix === '' ? '' : `${prefix}/`}${TABLE}.create` };
  const client = await createS3Client();
  const connection = await connect(config.location);
  let standing: { readonly claim: string; readonly since: number } | undefined;
  try {
    while (!(await isThere(connection))) {
      signal?.throwIfAborted();
      const startedAt = performance.now();
      const own = await putClaim(client, object);
      if (own !== undefined) {
        try {
          if (!(await isThere(connection)) && performance.now() - startedAt < START_WITHIN_MS) {
            (await connection.createEmptyTable(TABLE, schema)).close();
          }
        } finally {
          await deleteClaim(client, object, own);
        }
        continue;
      }
      await sleep(CLAIM_WAIT_MS, signal);
      const claim = await readClaim(client, object);
      if (claim === undefined) continue;
      if (standing?.claim !== claim) standing = { claim, since: performance.now() };
      else if (performance.now() - standing.since > CLAIM_MS) await deleteClaim(client, object, claim);
    }
  } finally {
    connection.close();
    client.destroy();
  }
}

interface ObjectName {
  readonly Bucket: string;
  readonly Key: string;
}

/** Returns what tells the claim from others, its ETag; undefined where there is one already. */
async function putClaim(client: S3Client, object: ObjectName): Promise<string | undefined> {
  const { PutObjectCommand } = await import('@aws-sdk/client-s3');
  const request = { ...object, Body: Buffer.from(randomUUID()), IfNoneMatch: '*' };
  try {
    return (await client.send(new PutObjectCommand(request))).ETag;
  } catch (error) {
    if (['precondition', 'conflict'].includes(explainS3Error(error).kind)) return undefined;
    throw error;
  }
}

async function readClaim(client: S3Client, object: ObjectName): Promise<string | undefined> {
  const { HeadObjectCommand } = await import('@aws-sdk/client-s3');
  try {
    return (await client.send(new HeadObjectCommand(object))).ETag;
  } catch (error) {
    if (explainS3Error(error).kind === 'no-key') return undefined;
    throw error;
  }
}

/** Only this one: another may stand in its place by now. */
async function deleteClaim(client: S3Client, object: ObjectName, claim: string): Promise<void> {
  const { DeleteObjectCommand } = await import('@aws-sdk/client-s3');
  try {
    await client.send(new DeleteObjectCommand({ ...object, IfMatch: claim }));
  } catch (error) {
    if (!['precondition', 'conflict', 'no-key'].includes(explainS3Error(error).kind)) throw error;
  }
}

/** A creation that was killed leaves a table that cannot be opened; on S3 the next one is made over it. */
async function isThere(connection: Connection): Promise<boolean> {
  try {
    (await connection.openTable(TABLE)).close();
    return true;
  } catch (error) {
    if (isMissingTable(error) || isUnfinishedTable(error)) return false;
    throw error;
  }
}
