/** Whatever happens between a run and OpenSearch, the run ends with 0 and the index holds what the source holds. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { faultProxyDuringTests, type SeenRequest } from '../support/fault-proxy.js';
import { deleteIndex } from '../support/opensearch.js';
import { openSearchUrl, skipWithoutOpenSearch as skip } from '../support/services.js';
import { tempFolder } from '../support/temp-folder.js';
import { Documents } from './support/documents.js';
import { openSearchFaults, wireFaults } from './support/fault-mixes.js';
import { embatch, endedWith, type FaultyRun, type FaultyRunOptions } from './support/faulty-run.js';
import { assertIndexEqualsSource, openSearchRows } from './support/index-check.js';
import { folderPlace } from './support/places.js';
import { randomFor } from './support/settings.js';

const isBulk = ({ url }: SeenRequest): boolean => url.includes('_bulk');
const OBJECTS = 40;
/** Minutes of back-off and of patience pass in seconds; a bulk request must be answered within three of them. */
const CLOCK_SPEED = 20;
/** Ten minutes take six seconds. */
const OUTAGE_CLOCK_SPEED = 100;
const MINUTE_MS = 60_000;

describe('between a run and OpenSearch', { skip }, () => {
  const proxy = faultProxyDuringTests(openSearchUrl, skip);

  interface Job {
    readonly documents: Documents;
    readonly run: (options?: FaultyRunOptions) => Promise<FaultyRun>;
    readonly assertComplete: () => Promise<void>;
  }

  async function job(t: TestContext, index: string, objects = OBJECTS): Promise<Job> {
    const folder = await tempFolder(t);
    t.after(() => deleteIndex(openSearchUrl(), index));
    const documents = new Documents(folderPlace(join(folder, 'docs')), randomFor(index));
    await documents.add(objects);
    const sink = `${proxy.url.replace('http:', 'opensearch+http:')}/${index}`;
    const args = [
      documents.place.uri,
      '--sink',
      sink,
      '--state',
      join(folder, 'state'),
      '--sink-batch-rows',
      '5',
    ];
    return {
      documents,
      run: (options) => embatch(args, { clockSpeed: CLOCK_SPEED, ...options }),
      async assertComplete() {
        assertIndexEqualsSource(await openSearchRows(openSearchUrl(), index), documents);
      },
    };
  }

  for (const [n, { name, play }] of [...wireFaults, ...openSearchFaults].entries()) {
    test(`${name}: the index holds what the source holds`, async (t) => {
      const index = `faults-sink-${n}`;
      const { documents, run, assertComplete } = await job(t, index);
      play(proxy, isBulk, randomFor(name));
      const { objects } = endedWith(0, await run());
      assert.equal(objects.embedded, documents.keys.length);
      const met = proxy.requests.filter(({ fault }) => fault !== undefined).length;
      assert.ok(met >= 4, `only ${met} requests met a fault`);
      await assertComplete();
    });
  }

  /** From the first bulk request on, for so many minutes of the program's clock, nothing is answered. */
  function outage(minutes: number): void {
    let since: number | undefined;
    const isDown = (): boolean => {
      since ??= performance.now();
      return (performance.now() - since) * OUTAGE_CLOCK_SPEED < minutes * MINUTE_MS;
    };
    let bulks = 0;
    proxy.add({
      // A cluster that answered nothing yet may be a wrong address: it goes away once it has taken something.
      when: (request) => ((bulks += isBulk(request) ? 1 : 0) > 3 ? isDown() : false),
      fault: { kind: 'drop' },
    });
  }

  test('an outage of nine minutes: the run waits for the end of it', async (t) => {
    const { run, assertComplete } = await job(t, 'faults-sink-nine-minutes');
    outage(9);
    endedWith(0, await run({ clockSpeed: OUTAGE_CLOCK_SPEED }));
    await assertComplete();
  });

  test('an outage past the patience of ten minutes: the run ends with 23, and the next one does the rest', async (t) => {
    const { run, assertComplete } = await job(t, 'faults-sink-ten-minutes');
    outage(1000);
    const { error } = endedWith(23, await run({ clockSpeed: OUTAGE_CLOCK_SPEED }));
    assert.match(error?.message ?? '', /accepted nothing for 10 m 00 s \(--sink-patience\)/);
    proxy.reset();
    endedWith(0, await run());
    await assertComplete();
  });

  test('a node that goes away in the middle of a bulk request and comes back', async (t) => {
    const { run, assertComplete } = await job(t, 'faults-sink-restart');
    let restarts = 0;
    let bulks = 0;
    const restart = async (): Promise<void> => {
      await proxy.down();
      await pause(200);
      await proxy.up();
      restarts += 1;
    };
    proxy.add({
      when: (request) => isBulk(request) && ++bulks % 8 === 3,
      fault: { kind: 'hold', until: restart },
      times: 3,
    });
    endedWith(0, await run());
    assert.equal(restarts, 3);
    await assertComplete();
  });
});
