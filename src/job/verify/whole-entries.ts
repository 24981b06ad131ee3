import type { LedgerEntry } from '../../ledger/objects/entry.js';

/**
 * One entry an object: what the ledger knows of it as a whole. An object of which only ranges are known is being written,
 * or was when its run ended.
 *
 * @param isMine whether a key is of the shard that is looked at; objects that are shared out are known to all shards
 */
export async function* wholeEntries(
  entries: AsyncIterable<LedgerEntry>,
  isMine: (key: string) => boolean,
): AsyncGenerator<LedgerEntry, void, undefined> {
  let whole: LedgerEntry | undefined;
  for await (const { range, ...entry } of entries) {
    if (!isMine(entry.key)) continue;
    if (entry.key !== whole?.key) {
      if (whole !== undefined) yield whole;
      whole = range === undefined ? entry : { ...entry, status: 'open', split: true };
    } else if (whole.status === 'open' && whole.split === true) {
      whole = { ...whole, chunks: whole.chunks + entry.chunks };
    }
  }
  if (whole !== undefined) yield whole;
}
