import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { StateStore } from '#embatch/core/interfaces.js';
import { createFileState } from '#embatch/ledger/file-state.js';
import { startHeartbeat } from '#embatch/ledger/heartbeat.js';
import { writeSummary } from '#embatch/ledger/summary.js';
import { recordingLog } from '../../conformance/sink-rows.js';
import { tempFolder } from '../../support/temp-folder.js';

const shard = { index: 1, count: 4 };
const NAME = 'shards/1-of-4/heartbeat.json';

async function read(store: StateStore, name: string): Promise<Record<string, unknown> | undefined> {
  const bytes = await store.get(name);
  return bytes === undefined
    ? undefined
    : (JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>);
}

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await pause(5);
}

describe('the heartbeat of a shard', () => {
  it('is written at once, again and again, and a last time', async (t) => {
    const store = createFileState(await tempFolder(t));
    let beats = 0;
    const heartbeat = startHeartbeat(store, shard, () => ({ run: 'r', beats: ++beats }), {
      log: recordingLog(),
      intervalMs: 5,
    });
    await until(() => beats >= 4);
    await heartbeat.stop();
    const last = beats;
    const written = await read(store, NAME);
    assert.deepEqual([written?.['beats'], written?.['run'], written?.['pid']], [last, 'r', process.pid]);
    assert.ok(Date.now() - Date.parse(String(written?.['time'])) < 60_000);
    await heartbeat.stop();
    assert.equal(beats, last, 'stop may be repeated');
  });

  it('a store that fails is warned of once, and used again when it works', async (t) => {
    const real = createFileState(await tempFolder(t));
    const log = recordingLog();
    let failures = 0;
    let broken = true;
    const store: StateStore = {
      ...real,
      put: (name, bytes, options) => {
        if (!broken) return real.put(name, bytes, options);
        failures += 1;
        return Promise.reject(new Error('disk full'));
      },
    };
    const heartbeat = startHeartbeat(store, shard, () => ({}), { log, intervalMs: 1 });
    await until(() => failures >= 3);
    assert.deepEqual(log.lines, ['warn: The heartbeat was not written: disk full']);
    broken = false;
    await until(async () => (await read(real, NAME)) !== undefined);
    await heartbeat.stop();
  });

  it('stop does not wait for a store that hangs', async (t) => {
    const real = createFileState(await tempFolder(t));
    let puts = 0;
    const store: StateStore = {
      ...real,
      put: (name, bytes, options) => {
        puts += 1;
        if (puts > 1) return real.put(name, bytes, options);
        return new Promise((_, reject) => {
          options?.signal?.addEventListener('abort', () => reject(options.signal?.reason as Error));
        });
      },
    };
    const heartbeat = startHeartbeat(store, shard, () => ({ puts }), { log: recordingLog() });
    await heartbeat.stop();
    assert.equal((await read(real, NAME))?.['puts'], 1);
  });
});

describe('the summary of a shard', () => {
  it('lies beside its heartbeat', async (t) => {
    const store = createFileState(await tempFolder(t));
    await writeSummary(store, shard, { kind: 'summary', summary: { status: 'complete', ü: '🙂' } });
    assert.deepEqual(await read(store, 'shards/1-of-4/summary.json'), { status: 'complete', ü: '🙂' });
  });
});
