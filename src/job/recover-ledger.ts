import type { SourceObject } from '../core/interfaces.js';
import { formatCount } from '../core/units.js';
import type { Ledger } from '../ledger/objects/ledger.js';
import { shardOf } from '../shard/shard-of-key.js';
import { isSplit } from './share.js';
import type { OpenShard, ShardRun } from './open-shard.js';
import { proveRecords } from './verify/prove-records.js';
import { rebuildLedger } from './verify/rebuild-ledger.js';

/**
 * Makes a ledger that was lost anew from the index, so that nothing is paid for twice and nothing is left over. Costs one
 * pass over what the rows say of themselves, and a second listing. Errors: SOURCE, SINK, STATE.
 */
export async function recoverLedger(
  { options, context }: ShardRun,
  { source, sink, index, keys, isSharedOut, pool, fingerprint, state }: OpenShard,
  { ledger, signal }: { readonly ledger: Ledger; readonly signal: AbortSignal },
): Promise<void> {
  const { log } = context;
  const { limit, deleteFiltered, maxDocumentBytes } = options;
  const [space = ''] = index.fingerprint.split('-');
  const isMine = (key: string): boolean => keys.count === 1 || shardOf(key, keys.count) === keys.index;
  const isShared = (object: SourceObject): boolean => isSplit(object, source, options.splitBytes);
  const rebuilt = await rebuildLedger(
    { source, sink, space, isMine, listsAll: !isSharedOut, limit, deleteFiltered, signal },
    {
      ledger,
      isSplit: isShared,
      prove: (object, group) =>
        keys.count > 1 && isShared(object)
          ? Promise.resolve('it is shared out over several shards')
          : proveRecords(object, group, { source, maxDocumentBytes, signal, pool, fingerprint }),
    },
  );
  if (rebuilt.recorded + rebuilt.doubtful === 0) return;
  log.info(
    `${state.uri} had no ledger of this source and index, so it was made anew from the index: ` +
      `${formatCount(rebuilt.recorded)} objects are whole, ${formatCount(rebuilt.doubtful)} are embedded again`,
  );
}
