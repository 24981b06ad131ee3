/** One row that a node will never take, among many that it takes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Row, WriteOutcome } from '#embatch/core/interfaces.js';
import { faultProxyDuringTests } from '../../support/fault-proxy.js';
import { openSearchUrl, skipWithoutOpenSearch } from '../../support/services.js';
import { startFront } from './front-server.js';
import {
  DIMENSIONS,
  call,
  countOf,
  reasonOf,
  rowsOf,
  withSink,
  type TestPlace,
} from './opensearch-support.js';
import { aRow } from '../../conformance/sink-rows.js';

const ROWS = 10_000;
const MAX_ROWS = 500;
const UNDISTURBED = ROWS / MAX_ROWS;
const POISONED = 6_543;

/** As the job writes: in pieces of what the sink takes. */
async function writeAll({ sink }: TestPlace, rows: readonly Row[]): Promise<WriteOutcome[]> {
  const outcomes: WriteOutcome[] = [];
  for (let start = 0; start < rows.length; start += MAX_ROWS) {
    outcomes.push(...(await sink.write(rows.slice(start, start + MAX_ROWS))));
  }
  return outcomes;
}

function assertOneRefused(outcomes: readonly WriteOutcome[], words: RegExp): void {
  const refused = outcomes.flatMap(({ ok }, at) => (ok ? [] : [at]));
  assert.deepEqual(refused, [POISONED]);
  assert.match(reasonOf(outcomes[POISONED]), words);
}

describe('opensearch: one bad row among ten thousand', { skip: skipWithoutOpenSearch }, () => {
  const proxy = faultProxyDuringTests(openSearchUrl, skipWithoutOpenSearch);
  const bulks = (): number => proxy.requests.filter(({ url }) => url.includes('/_bulk')).length;

  it('that the mapping refuses costs itself and no request more', async () => {
    await withSink(proxy.url, { maxRows: MAX_ROWS }, async (place) => {
      // A stricter mapping than ours: what somebody added by hand.
      await call('PUT', `${openSearchUrl()}/${place.index}/_mapping`, {
        properties: { metadata: { properties: { day: { type: 'date', format: 'yyyy-MM-dd' } } } },
      });
      const rows: Row[] = rowsOf(ROWS).map((row, n) => {
        const day = n === POISONED ? 'no day' : '2026-11-21';
        return { ...row, metadata: { ...row.metadata, day } };
      });
      const outcomes = await writeAll(place, rows);
      assertOneRefused(outcomes, /^400 mapper_parsing_exception: .*\[metadata\.day\].*no day/);
      assert.equal(bulks(), UNDISTURBED);
      assert.equal(await countOf(openSearchUrl(), place.index), ROWS - 1);
    });
  });

  it('for which the node refuses the whole request costs a few requests more', async () => {
    await withSink(proxy.url, { maxRows: MAX_ROWS }, async (place) => {
      const rows = rowsOf(ROWS);
      // Longer than `_id` may be: 400 for the request, and no row of it is written.
      rows[POISONED] = { ...aRow(POISONED, DIMENSIONS), id: 'x'.repeat(600) };
      const outcomes = await writeAll(place, rows);
      assertOneRefused(outcomes, /^400 action_request_validation_exception: .*id \[xxx/);
      assertFewMore(bulks());
      assert.equal(await countOf(openSearchUrl(), place.index), ROWS - 1);
    });
  });

  it('for which a proxy says 413 costs a few requests more', async () => {
    let requests = 0;
    const front = await startFront({
      upstream: openSearchUrl(),
      refuse({ url = '' }, body) {
        if (!url.includes('/_bulk')) return undefined;
        requests++;
        return body.includes('the large one') ? { status: 413 } : undefined;
      },
    });
    try {
      await withSink(front.url, { maxRows: MAX_ROWS }, async (place) => {
        const rows = rowsOf(ROWS);
        rows[POISONED] = { ...aRow(POISONED, DIMENSIONS), text: 'the large one' };
        const outcomes = await writeAll(place, rows);
        assertOneRefused(outcomes, /^413 .*the row alone has \d+ bytes/);
        assertFewMore(requests);
        assert.equal(await countOf(openSearchUrl(), place.index), ROWS - 1);
      });
    } finally {
      await front.close();
    }
  });
});

/** Halving a request down to one row sends two for each step. */
function assertFewMore(requests: number): void {
  const most = UNDISTURBED + 2 * Math.ceil(Math.log2(MAX_ROWS));
  assert.ok(requests > UNDISTURBED && requests <= most, `${requests} requests instead of ${UNDISTURBED}`);
}
