import type { ListObjectsV2CommandInput, ListObjectsV2CommandOutput, S3Client } from '@aws-sdk/client-s3';
import type { Bucket } from '#embatch/source/s3-bucket.js';

type Answer = (
  answer: ListObjectsV2CommandOutput,
  input: ListObjectsV2CommandInput,
) => ListObjectsV2CommandOutput;

export interface ListedBucketOptions {
  /** Keys that are no UTF-8 are given as bytes. */
  readonly keys: readonly (string | Buffer)[];
  readonly pageSize: number;
  /** Awaited before each answer. */
  readonly delay?: () => Promise<void>;
  /** Changes an answer, or throws. */
  readonly answer?: Answer;
  /** Plays a store that does not know of `StartAfter`. */
  readonly ignoresStartAfter?: boolean;
  /** How the store orders keys; by default as S3 does. */
  readonly compare?: (a: Buffer, b: Buffer) => number;
}

export interface ListedBucket extends Bucket {
  /** Every request, in order. */
  readonly requests: readonly ListObjectsV2CommandInput[];
  /** Most requests that were under way at once. */
  readonly mostAtOnce: number;
}

/** A bucket that lists keys as S3 does, without a network: everything between is the code under test. */
export function listedBucket(options: ListedBucketOptions): ListedBucket {
  const { pageSize, delay = () => Promise.resolve() } = options;
  const answer: Answer = options.answer ?? ((given) => given);
  const compare = options.compare ?? ((a: Buffer, b: Buffer) => Buffer.compare(a, b));
  const keys = options.keys.map((key) => (typeof key === 'string' ? Buffer.from(key) : key)).sort(compare);
  const requests: ListObjectsV2CommandInput[] = [];
  const belowPrefix = new Map<string, Buffer[]>();
  let underWay = 0;
  let mostAtOnce = 0;

  const keysBelow = (prefix: Buffer): readonly Buffer[] => {
    const name = prefix.toString('base64');
    const below =
      belowPrefix.get(name) ?? keys.filter((key) => key.subarray(0, prefix.length).equals(prefix));
    belowPrefix.set(name, below);
    return below;
  };
  const firstAfter = (below: readonly Buffer[], after: Buffer): number => {
    let low = 0;
    let high = below.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(below[middle] ?? after, after) > 0) high = middle;
      else low = middle + 1;
    }
    return low;
  };

  const list = async (
    input: ListObjectsV2CommandInput,
    signal: AbortSignal | undefined,
  ): Promise<ListObjectsV2CommandOutput> => {
    requests.push(input);
    underWay += 1;
    mostAtOnce = Math.max(mostAtOnce, underWay);
    await delay();
    underWay -= 1;
    signal?.throwIfAborted();
    const prefix = Buffer.from(input.Prefix ?? '');
    const token = input.ContinuationToken;
    const start = options.ignoresStartAfter === true ? undefined : input.StartAfter;
    const after =
      token === undefined
        ? start === undefined
          ? undefined
          : Buffer.from(start)
        : Buffer.from(token, 'base64');
    const below = keysBelow(prefix);
    const from = after === undefined ? 0 : firstAfter(below, after);
    const size = Math.min(pageSize, input.MaxKeys ?? pageSize);
    const page = below.slice(from, from + size);
    const isTruncated = from + size < below.length;
    const last = page.at(-1);
    return answer(
      {
        $metadata: {},
        Name: 'listed',
        EncodingType: 'url',
        IsTruncated: isTruncated,
        ...(isTruncated && last !== undefined ? { NextContinuationToken: last.toString('base64') } : {}),
        Contents: page.map((key) => ({
          Key: encoded(key),
          Size: 1,
          ETag: '"e"',
          LastModified: new Date(0),
        })),
      },
      input,
    );
  };

  return {
    name: 'listed',
    pageSize: undefined,
    requests,
    get mostAtOnce() {
      return mostAtOnce;
    },
    send(call, { signal } = {}) {
      signal?.throwIfAborted();
      // The one call of the client that a listing makes.
      const client = {
        send: (command: { readonly input: ListObjectsV2CommandInput }) => list(command.input, signal),
      } as unknown as S3Client;
      return call(client, signal === undefined ? {} : { abortSignal: signal });
    },
    pause: () => Promise.resolve(),
    close: () => undefined,
  };
}

const names = new WeakMap<Buffer, string>();

/** As S3 writes keys with `encoding-type=url`. */
function encoded(key: Buffer): string {
  const known = names.get(key);
  if (known !== undefined) return known;
  const name = [...key]
    .map((byte) => {
      if (byte === 0x20) return '+';
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9._*/-]/.test(character)
        ? character
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
  names.set(key, name);
  return name;
}
