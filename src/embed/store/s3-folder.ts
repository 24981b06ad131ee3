import type * as S3 from '@aws-sdk/client-s3';
import { compareUtf8 } from '../../core/bytes-order.js';
import { EmbatchError } from '../../core/errors.js';
import type { Abortable } from '../../core/interfaces.js';
import { createS3Client } from '../../core/s3.js';
import { explainS3Error, transientS3Failures } from '../../core/s3-errors.js';
import type { RemoteFile } from './choose-files.js';
import type { OpenBytes } from './hub-client.js';
import { formatS3Ref, type S3Ref } from './model-ref.js';
import { checkRemotePath } from './remote-path.js';

export interface S3File extends RemoteFile {
  /** As the store gives it, with its quotes. */
  readonly etag: string;
}

/** What lies below a prefix. Errors: MODEL. */
export interface S3Folder {
  /** Ascending by path, at least one. */
  list(options?: Abortable): Promise<S3File[]>;
  /** The bytes of the listed version from `offset` on. */
  open(file: S3File, offset: number, options?: Abortable): Promise<OpenBytes>;
  /**
   * How the ETag came about: as a hash of the whole, or of parts of so many bytes; undefined where it is no hash of
   * the content, as with keys of AWS KMS.
   */
  etagParts(file: S3File, options?: Abortable): Promise<{ readonly partBytes: number } | undefined>;
  close(): void;
}

export async function openS3Folder(ref: S3Ref, options: { readonly anonymous: boolean }): Promise<S3Folder> {
  const client = await createS3Client(options);
  const sdk: typeof S3 = await import('@aws-sdk/client-s3');
  const uri = formatS3Ref(ref);
  const base = ref.prefix === '' ? '' : `${ref.prefix}/`;
  const nameOf = (file: S3File): string => `s3://${ref.bucket}/${base}${file.path}`;
  const named = (file: S3File): { Bucket: string; Key: string } => ({
    Bucket: ref.bucket,
    Key: base + file.path,
  });

  const ask = async <Result>(what: string, signal: AbortSignal | undefined, work: () => Promise<Result>) => {
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      throw s3Error(what, error);
    }
  };

  return {
    async list({ signal } = {}) {
      const files: S3File[] = [];
      let token: string | undefined;
      do {
        const request = { Bucket: ref.bucket, Prefix: base, ContinuationToken: token };
        const page: S3.ListObjectsV2CommandOutput = await ask(`list ${uri}`, signal, () =>
          client.send(new sdk.ListObjectsV2Command(request), aborting(signal)),
        );
        for (const { Key: key = '', Size: size = 0, ETag: etag = '' } of page.Contents ?? []) {
          const path = key.slice(base.length);
          // What consoles make as folders.
          if (path === '' || path.endsWith('/')) continue;
          checkRemotePath(path, uri);
          files.push({ path, size, etag });
        }
        token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      } while (token !== undefined);
      if (files.length > 0) return files.sort((a, b) => compareUtf8(a.path, b.path));
      throw new EmbatchError('MODEL', `${uri} holds no files: there is no model there, or not any more.`);
    },

    async open(file, offset, { signal } = {}) {
      const range = offset === 0 ? {} : { Range: `bytes=${offset}-` };
      const answer = await ask(`read ${nameOf(file)}`, signal, () =>
        client.send(
          new sdk.GetObjectCommand({ ...named(file), IfMatch: file.etag, ...range }),
          aborting(signal),
        ),
      );
      const start = answer.ContentRange === undefined ? 0 : offset;
      const total = answer.ContentLength === undefined ? undefined : start + answer.ContentLength;
      return { start, total, body: answer.Body as AsyncIterable<Uint8Array> };
    },

    async etagParts(file, { signal } = {}) {
      const parts = /^"?[0-9a-f]{32}(-\d+)?"?$/.exec(file.etag);
      if (parts === null) return undefined;
      const isWhole = parts[1] === undefined;
      const head = await ask(`ask for ${nameOf(file)}`, signal, () =>
        client.send(
          new sdk.HeadObjectCommand({ ...named(file), ...(isWhole ? {} : { PartNumber: 1 }) }),
          aborting(signal),
        ),
      );
      const isKeyed = head.ServerSideEncryption?.startsWith('aws:kms') === true;
      if (isKeyed || head.SSECustomerAlgorithm !== undefined) return undefined;
      if (isWhole) return { partBytes: Infinity };
      // Stores that know no parts answer for the whole.
      return head.PartsCount === undefined || !head.ContentLength
        ? undefined
        : { partBytes: head.ContentLength };
    },

    close() {
      client.destroy();
    },
  };
}

function s3Error(what: string, error: unknown): EmbatchError {
  const { kind, reason, advice } = explainS3Error(error);
  const isChanged = kind === 'precondition' || kind === 'no-key';
  const message = isChanged
    ? `Cannot ${what}: it changed while the model was being fetched. Run again.`
    : `Cannot ${what}: ${reason}. ${advice}`.trimEnd();
  const retryable = isChanged || transientS3Failures.has(kind);
  return new EmbatchError('MODEL', message, { cause: error, retryable, details: { kind } });
}

function aborting(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}
