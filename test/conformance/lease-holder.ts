/**
 * A process that takes a lease, for tests that kill or stop it: `node lease-holder.js STATE SHARD SHARDS TTL_MS`.
 * Tells its parent `held`, `refused` or `lost`, and releases when told so.
 */
import { describeError, isEmbatchError } from '#embatch/core/errors.js';
import { acquireLease } from '#embatch/ledger/lease.js';
import { openState } from '#embatch/ledger/open-state.js';
import { recordingLog } from './sink-rows.js';

const [uri = '', shard = '', shards = '', ttlMs = ''] = process.argv.slice(2);
const tell = (word: string, message = ''): void => {
  process.send?.({ word, message });
};

const store = await openState(uri);
try {
  const lease = await acquireLease(
    store,
    {
      shard: Number(shard),
      shards: Number(shards),
      owner: 'test',
      run: 'child',
      ttlMs: Number(ttlMs),
      clockSkewMs: 0,
    },
    { log: recordingLog() },
  );
  lease.lost.addEventListener('abort', () => tell('lost', describeError(lease.lost.reason)));
  process.on('message', (word) => {
    if (word === 'release') void lease.release().then(() => process.disconnect());
  });
  tell('held');
} catch (error) {
  tell(isEmbatchError(error, 'LEASE') ? 'refused' : 'failed', describeError(error));
  process.disconnect();
}
