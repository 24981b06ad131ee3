import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RequestFailure, parseRefusal, type ServerError } from '#embatch/sinks/opensearch/failure.js';
import { parseRetryAfter } from '#embatch/sinks/opensearch/client.js';
import { judgeItem, judgeRequest, pauseMs, retrying, type Verdict } from '#embatch/sinks/opensearch/retry.js';
import { recordingLogger } from '../../../support/recording-logger.js';

/** What nodes really answered (3.6 and 2.19), shortened. */
const answers = {
  queueFull: {
    type: 'rejected_execution_exception',
    reason:
      'rejected execution of …TransportWriteAction$1@4df61193 on OpenSearchThreadPoolExecutor[name = /write, queue capacity = 1, …]',
  },
  pressure: {
    type: 'rejected_execution_exception',
    reason:
      'rejected execution of coordinating operation [coordinating_and_primary_bytes=150767, replica_bytes=0, all_bytes=150767, coordinating_operation_bytes=144000, max_coordinating_and_primary_bytes=204800]',
  },
  pressureForEver: {
    type: 'rejected_execution_exception',
    reason:
      'rejected execution of coordinating operation [coordinating_and_primary_bytes=0, replica_bytes=0, all_bytes=0, coordinating_operation_bytes=646192, max_coordinating_and_primary_bytes=524288]',
  },
  primaryForEver: {
    type: 'rejected_execution_exception',
    reason:
      'rejected execution of primary operation [coordinating_and_primary_bytes=9, replica_bytes=0, all_bytes=9, primary_operation_bytes=300000, max_coordinating_and_primary_bytes=204800]',
  },
  breaker: {
    type: 'circuit_breaking_exception',
    reason:
      '[in_flight_requests] Data too large, data for [<http_request>] would be [11533516/10.9mb], which is larger than the limit of [10485760/10mb]',
    bytes_wanted: 11533516,
    bytes_limit: 10485760,
  },
  breakerShared: {
    type: 'circuit_breaking_exception',
    reason:
      '[parent] Data too large, data for [<http_request>] would be [11533516/10.9mb], which is larger than the limit of [10485760/10mb], real usage: [10485000/9.9mb], new bytes reserved: [1048516/1mb]',
    bytes_wanted: 11533516,
    bytes_limit: 10485760,
  },
  flood: {
    type: 'cluster_block_exception',
    reason:
      'index [docs] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block];',
  },
  writeBlock: {
    type: 'cluster_block_exception',
    reason: 'index [docs] blocked by: [FORBIDDEN/8/index write (api)];',
  },
  mapping: { type: 'mapper_parsing_exception', reason: 'failed to parse' },
  noIndex: { type: 'index_not_found_exception', reason: 'no such index [docs]' },
  closed: { type: 'index_closed_exception', reason: 'closed' },
  conflict: { type: 'version_conflict_engine_exception', reason: 'conflict' },
  noShard: { type: 'unavailable_shards_exception', reason: 'primary shard is not active' },
  security: { type: 'security_exception', reason: 'no permissions' },
  noWriteIndex: { type: 'illegal_argument_exception', reason: 'no write index is defined for alias [a]. …' },
  serverless: {
    type: 'illegal_argument_exception',
    reason: 'Document ID is not supported in create/index operation request',
  },
} satisfies Record<string, ServerError>;

describe('opensearch: what to do about a row', () => {
  const cases: readonly (readonly [number, ServerError | undefined, Verdict | 'ok'])[] = [
    [200, undefined, 'ok'],
    [201, undefined, 'ok'],
    [429, answers.queueFull, 'again'],
    [429, answers.pressure, 'again'],
    [429, answers.primaryForEver, 'smaller'],
    [429, answers.breakerShared, 'again'],
    [429, answers.flood, 'later'],
    [403, answers.writeBlock, 'later'],
    [503, answers.noShard, 'again'],
    [500, undefined, 'again'],
    [400, answers.mapping, 'refused'],
    [409, answers.conflict, 'refused'],
    [404, undefined, 'refused'],
    [404, answers.noIndex, 'fatal'],
    [400, answers.closed, 'fatal'],
    [403, answers.security, 'fatal'],
    [401, undefined, 'fatal'],
    [400, answers.noWriteIndex, 'fatal'],
    [400, answers.serverless, 'fatal'],
  ];
  for (const [status, error, verdict] of cases) {
    it(`${status} ${error?.reason?.slice(0, 90) ?? ''}: ${verdict}`, () => {
      assert.equal(judgeItem(status, error), verdict);
    });
  }
});

describe('opensearch: what to do about a request', () => {
  const refusal = (status: number, body: unknown): RequestFailure => {
    const { error, words } = parseRefusal(body);
    return new RequestFailure(error?.type ?? '', words, { status, error });
  };
  const cases: readonly (readonly [RequestFailure, Verdict])[] = [
    [refusal(429, { error: answers.pressure }), 'again'],
    [refusal(429, { error: answers.pressureForEver }), 'smaller'],
    [refusal(429, { error: answers.breaker }), 'smaller'],
    [refusal(429, { error: answers.breakerShared }), 'again'],
    [refusal(429, 'Too Many Requests'), 'again'],
    [refusal(413, ''), 'smaller'],
    [refusal(413, '<html>413 Request Entity Too Large</html>'), 'smaller'],
    [refusal(413, { Message: 'Request size exceeded 10485760 bytes' }), 'smaller'],
    [refusal(403, { Message: 'Request throttled due to too many requests' }), 'again'],
    [refusal(403, '403 Request throttled due to too many requests /docs/_bulk'), 'again'],
    [refusal(403, { error: answers.writeBlock }), 'later'],
    [refusal(403, { error: answers.security }), 'fatal'],
    [refusal(401, 'Unauthorized'), 'fatal'],
    [
      refusal(400, { error: { type: 'action_request_validation_exception', reason: 'id is too long' } }),
      'refused',
    ],
    [refusal(404, ''), 'fatal'],
    [refusal(500, ''), 'again'],
    [refusal(502, '<html>'), 'again'],
    [refusal(503, ''), 'again'],
    [refusal(504, ''), 'again'],
    [new RequestFailure('ECONNRESET', 'socket hang up'), 'again'],
    [new RequestFailure('ECONNREFUSED', 'connect ECONNREFUSED'), 'again'],
    [new RequestFailure('EAI_AGAIN', 'getaddrinfo EAI_AGAIN'), 'again'],
    [new RequestFailure('timeout', 'no whole answer'), 'again'],
    [new RequestFailure('broken_answer', 'the answer is not JSON'), 'again'],
    [new RequestFailure('DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate'), 'fatal'],
    [new RequestFailure('EPROTO', 'wrong version number'), 'fatal'],
    [new RequestFailure('credentials', 'Could not load credentials'), 'fatal'],
  ];
  for (const [failure, verdict] of cases) {
    it(`${failure.status ?? failure.type} ${failure.message.slice(0, 80)}: ${verdict}`, () => {
      assert.equal(judgeRequest(failure), verdict);
    });
  }
});

describe('opensearch: words of a refusal', () => {
  const cases: readonly (readonly [unknown, string])[] = [
    ['', ''],
    [null, ''],
    ['<html><style>p{}</style><h1>502\n Bad Gateway</h1></html>', '502 Bad Gateway'],
    [{ Message: 'User: x is not authorized.' }, 'User: x is not authorized'],
    [{ error: 'alias [x] missing', status: 404 }, 'alias [x] missing'],
    [{ status: 500 }, '{"status":500}'],
    [
      {
        error: {
          type: 'mapper_parsing_exception',
          reason: 'failed to parse field [v]',
          caused_by: { type: 'x', reason: 'zero vector' },
        },
      },
      'mapper_parsing_exception: failed to parse field [v]: zero vector',
    ],
    [{ error: { type: 'a', reason: 'same', caused_by: { reason: 'same' } } }, 'a: same'],
    ['x'.repeat(2000), `${'x'.repeat(500)}…`],
  ];
  for (const [body, words] of cases) {
    it(JSON.stringify(body).slice(0, 80), () => {
      assert.equal(parseRefusal(body).words, words);
    });
  }
});

describe('opensearch: pauses', () => {
  const pauses = { retryMs: 100, blockedMs: 1000 };

  it('may be anything up to a bound, which doubles up to a longest', () => {
    const of = (verdict: 'again' | 'later', attempts: number[], chance: number): number[] =>
      attempts.map((attempt) => pauseMs(verdict, attempt, pauses, undefined, () => chance));
    assert.deepEqual(of('again', [1, 2, 3, 8, 50], 1), [100, 200, 400, 12_800, 12_800]);
    assert.deepEqual(of('again', [1, 2, 3, 8, 50], 0.5), [50, 100, 200, 6400, 6400]);
    assert.deepEqual(of('again', [1, 50], 0), [0, 0]);
    assert.deepEqual(of('later', [1, 2, 3, 4, 50], 1), [1000, 2000, 4000, 6000, 6000]);
  });

  it('are never shorter than the server asks for, and shaken behind that, too', () => {
    const after = (attempt: number, retryAfterMs: number, chance: number): number =>
      pauseMs('again', attempt, pauses, retryAfterMs, () => chance);
    assert.deepEqual([after(1, 7000, 0), after(1, 7000, 1), after(50, 7000, 0)], [7000, 7100, 7000]);
    assert.equal(after(8, 10, 1), 12_800);
  });

  it('Retry-After is seconds or a date', () => {
    const now = Date.parse('2026-11-21T10:00:00Z');
    const cases = [
      ['3', 3000],
      ['0', 0],
      ['Sat, 21 Nov 2026 10:00:05 GMT', 5000],
      ['Sat, 21 Nov 2026 09:00:00 GMT', 0],
      ['soon', undefined],
      ['', undefined],
      [undefined, undefined],
    ] as const;
    for (const [value, ms] of cases) assert.equal(parseRetryAfter(value, now), ms, String(value));
  });
});

describe('opensearch: repeating a request', () => {
  const options = {
    uri: 'opensearch://host/docs',
    pauses: { retryMs: 1, blockedMs: 1 },
    patienceMs: 60_000,
    log: recordingLogger(),
    isFirstContact: () => false,
  };
  const failing = (times: number, failure: Error) => {
    let calls = 0;
    const work = (): Promise<number> => (++calls <= times ? Promise.reject(failure) : Promise.resolve(calls));
    return { work, calls: () => calls };
  };

  it('goes on until it passes', async () => {
    const { work } = failing(3, new RequestFailure('', '', { status: 503 }));
    assert.equal(await retrying(work, options), 4);
  });

  it('stops at once for what will not pass', async () => {
    const failure = new RequestFailure('', '', { status: 401 });
    const { work, calls } = failing(3, failure);
    await assert.rejects(retrying(work, options), (error) => error === failure);
    assert.equal(calls(), 1);
  });

  it('a connection that fails at first contact is no outage', async () => {
    const failure = new RequestFailure('ECONNREFUSED', '');
    const { work, calls } = failing(3, failure);
    await assert.rejects(
      retrying(work, { ...options, isFirstContact: () => true }),
      (error) => error === failure,
    );
    assert.equal(calls(), 1);
    assert.equal(await retrying(failing(3, failure).work, options), 4);
  });

  it('errors of other kinds are not its business', async () => {
    const bug = new TypeError('x');
    const { work, calls } = failing(3, bug);
    await assert.rejects(retrying(work, options), (error) => error === bug);
    assert.equal(calls(), 1);
  });
});
