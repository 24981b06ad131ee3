import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import type { Sink, SinkContext } from '#embatch/core/interfaces.js';
import { DEAD_AFTER_MS } from '#embatch/core/leftovers.js';
import { createJsonlSink } from '#embatch/sinks/jsonl/sink.js';
import { createLanceDbSink } from '#embatch/sinks/lancedb/sink.js';
import { infoFor, recordingLog } from '../../conformance/sink-rows.js';
import { tempFolder } from '../../support/temp-folder.js';
import { unprivileged } from '../../support/unprivileged.js';

const HOUR_MS = 3_600_000;
const DAYS_MS = 3 * DEAD_AFTER_MS;
const uuid = '0b9fc2a4-6b1e-4d0e-9a55-3f1c2d7e8a90';
const temporary = `.embatch/leases/0-of-1/.tmp-${uuid}`;

const timeOf = (agoMs: number): string => new Date(Date.now() - agoMs).toISOString();

/** A folder with a file in it, or a file, touched so long ago. */
async function leave(folder: string, name: string, agoMs: number): Promise<void> {
  const path = join(folder, name);
  const file = name.startsWith('.create-') ? join(path, 'chunks.lance') : path;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, 'torn');
  const at = new Date(Date.now() - agoMs);
  await utimes(path, at, at);
}

interface Store {
  readonly name: string;
  /** What is there once it is prepared. */
  readonly index: string;
  /** What is being made, and what only looks so. */
  readonly staging: string;
  readonly foreign: string;
  open(folder: string, context: SinkContext): Sink;
}

const stores: readonly Store[] = [
  {
    name: 'LanceDB',
    index: 'chunks.lance',
    staging: `.create-${uuid}`,
    foreign: '.create-notes',
    open: (folder, context) => createLanceDbSink(`lancedb:${folder}`, {}, context),
  },
  {
    name: 'JSONL',
    index: 'recipe.json',
    staging: `.tmp-${uuid}`,
    foreign: '.tmp-notes',
    open: (folder, context) => createJsonlSink(`jsonl:${folder}`, {}, context),
  },
];

for (const store of stores)
  describe(`${store.name}: what killed writers left`, () => {
    const { staging } = store;
    const prepare = async (folder: string, log = recordingLog()): Promise<void> => {
      const sink = store.open(folder, { log, run: 'r', shard: { index: 0, count: 1 } });
      await sink.prepare(infoFor(8));
      await sink.close();
    };
    const cases: readonly (readonly [string, string, number, 'goes' | 'stays', lease?: string])[] = [
      ['what was being made', staging, DAYS_MS, 'goes'],
      ['a file that was being written beside the leases', temporary, DAYS_MS, 'goes'],
      ['what may still be in the making', staging, DEAD_AFTER_MS - HOUR_MS, 'stays'],
      ['a file that may still be written', temporary, DEAD_AFTER_MS - HOUR_MS, 'stays'],
      ["someone's own of a similar name", store.foreign, DAYS_MS, 'stays'],
      ["someone's file of a similar name", '.embatch/.tmp-notes', DAYS_MS, 'stays'],
      [
        'one that was touched since a lease in force was taken',
        staging,
        DAYS_MS,
        'stays',
        JSON.stringify({ since: timeOf(DAYS_MS + HOUR_MS), expires: timeOf(-30_000) }),
      ],
      [
        'one from before all leases in force',
        staging,
        DAYS_MS,
        'goes',
        JSON.stringify({ since: timeOf(DAYS_MS - HOUR_MS), expires: timeOf(-30_000) }),
      ],
      [
        'one whose lease expired long ago',
        staging,
        DAYS_MS,
        'goes',
        JSON.stringify({ since: timeOf(DAYS_MS + HOUR_MS), expires: timeOf(DAYS_MS - HOUR_MS) }),
      ],
      [
        'one beside a lease that does not say since when',
        staging,
        DAYS_MS,
        'stays',
        JSON.stringify({ expires: timeOf(-30_000) }),
      ],
      ['one beside a torn lease', staging, DAYS_MS, 'goes', '{"since":'],
    ];
    for (const [name, path, agoMs, verdict, lease] of cases) {
      it(`${name} ${verdict}`, async (t) => {
        const folder = await tempFolder(t);
        await leave(folder, path, agoMs);
        if (lease !== undefined) {
          const leases = join(folder, '.embatch', 'leases', '1-of-2');
          await mkdir(leases, { recursive: true });
          await writeFile(join(leases, '0000000001.json'), lease);
        }
        await prepare(folder);
        assert.equal(existsSync(join(folder, path)), verdict === 'stays');
        assert.ok(existsSync(join(folder, store.index)));
      });
    }

    it('what cannot be deleted is warned of, and the index is prepared all the same', async (t) => {
      const folder = await tempFolder(t);
      await prepare(folder);
      await leave(folder, temporary, DAYS_MS);
      const closed = dirname(join(folder, temporary));
      await chmod(closed, 0o555);
      const log = recordingLog();
      try {
        await unprivileged(folder, () => prepare(folder, log));
      } finally {
        await chmod(closed, 0o755);
      }
      assert.match(log.lines.join('\n'), /warn: .*could not be deleted/);
      assert.ok(existsSync(join(folder, temporary)));
    });
  });
