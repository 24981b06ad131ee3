/**
 * As much of S3 as a run reads of it, over HTTP on this machine: pages of a listing and objects, from a table in memory.
 * For figures that a full imitation would be too slow for; what S3 really does is the tests' business.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

const PAGE_KEYS = 1000;
const LAST_MODIFIED = new Date(0);

/**
 * @param {object} options
 * @param {readonly string[]} options.keys ascending, ASCII without what XML escapes
 * @param {(key: string) => string} options.bodyOf the same for each request
 * @param {number} [options.listDelayMs] added to each page
 * @param {boolean} [options.ignoresStartAfter] as some stores do, which embatch therefore lists page by page
 * @returns {Promise<{ url: string, environment: Record<string, string>, pages: number, close: () => Promise<void> }>}
 */
export async function startFakeS3({ keys, bodyOf, listDelayMs = 0, ignoresStartAfter = false }) {
  let pages = 0;
  // All that can be made beforehand: the server works on the same cores as what is measured.
  const etags = new Map(keys.map((key) => [key, createHash('md5').update(bodyOf(key)).digest('hex')]));
  const entries = keys.map(
    (key) =>
      `<Contents><Key>${key}</Key><LastModified>${LAST_MODIFIED.toISOString()}</LastModified>` +
      `<ETag>&quot;${etags.get(key)}&quot;</ETag><Size>${Buffer.byteLength(bodyOf(key))}</Size>` +
      '<StorageClass>STANDARD</StorageClass></Contents>',
  );

  const list = (query) => {
    const prefix = query.get('prefix') ?? '';
    const start = ignoresStartAfter ? null : query.get('start-after');
    const after = query.get('continuation-token') ?? start ?? '';
    const first = firstAfter(keys, after, prefix);
    let index = first;
    while (index < first + PAGE_KEYS && keys[index]?.startsWith(prefix)) index++;
    const isTruncated = keys[index]?.startsWith(prefix) === true;
    const next = isTruncated ? `<NextContinuationToken>${keys[index - 1]}</NextContinuationToken>` : '';
    return (
      '<?xml version="1.0" encoding="UTF-8"?>' +
      `<ListBucketResult><Name>bench</Name><Prefix>${prefix}</Prefix><EncodingType>url</EncodingType>` +
      `<IsTruncated>${isTruncated}</IsTruncated>${next}${entries.slice(first, index).join('')}</ListBucketResult>`
    );
  };

  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://s3');
    const key = decodeURIComponent(pathname).split('/').slice(2).join('/');
    if (request.method !== 'GET') {
      response.writeHead(405).end();
    } else if (key === '') {
      pages += 1;
      const answer = () => {
        response.writeHead(200, { 'content-type': 'application/xml' }).end(list(searchParams));
      };
      if (listDelayMs > 0) setTimeout(answer, listDelayMs);
      else answer();
    } else if (!etags.has(key)) {
      response.writeHead(404, { 'content-type': 'application/xml' });
      response.end('<Error><Code>NoSuchKey</Code></Error>');
    } else {
      sendObject(request, response, { body: Buffer.from(bodyOf(key)), etag: etags.get(key) });
    }
  });
  server.keepAliveTimeout = 60_000;
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  return {
    url,
    environment: {
      AWS_ENDPOINT_URL_S3: url,
      AWS_ACCESS_KEY_ID: 'bench',
      AWS_SECRET_ACCESS_KEY: 'bench',
      AWS_REGION: 'us-east-1',
    },
    get pages() {
      return pages;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

function sendObject({ headers }, response, { body, etag }) {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? [];
  const start = Number(from ?? 0);
  const end = to === undefined || to === '' ? body.length : Math.min(body.length, Number(to) + 1);
  const part = from === undefined ? body : body.subarray(start, end);
  response.writeHead(from === undefined ? 200 : 206, {
    etag: `"${etag}"`,
    'last-modified': LAST_MODIFIED.toUTCString(),
    'content-length': part.length,
    ...(from === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${body.length}` }),
  });
  response.end(part);
}

/** Index of the first key behind `after`, and not before `prefix`. */
function firstAfter(keys, after, prefix) {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keys[middle] > after && keys[middle] >= prefix) high = middle;
    else low = middle + 1;
  }
  return low;
}
