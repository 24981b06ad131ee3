import { join } from 'node:path';
import type { StoredDeadLetter } from '#embatch/ledger/dead-letters.js';
import { createFileState } from '#embatch/ledger/file-state.js';
import { listDeadLetters, readDeadLetters } from '#embatch/ledger/stored-dead-letters.js';

/** All dead letters of the state in `folder/state`, oldest first. */
export async function lettersIn(folder: string): Promise<StoredDeadLetter[]> {
  const state = createFileState(join(folder, 'state'));
  const letters: StoredDeadLetter[] = [];
  const onDamage = (what: string): never => {
    throw new Error(what);
  };
  for await (const letter of readDeadLetters(state, await listDeadLetters(state), onDamage)) {
    letters.push(letter);
  }
  return letters;
}
