import type { StoredDeadLetter } from '#embatch/ledger/dead-letters.js';

/** A dead letter of an object of `s3://b`, stored by `run-1`. */
export function letterOf(key: string, changes: Partial<StoredDeadLetter> = {}): StoredDeadLetter {
  return {
    time: '2026-01-01T00:00:00.000Z',
    run: 'run-1',
    sink: 'jsonl:out',
    uri: `s3://b/${key}`,
    key,
    version: 'v1',
    record: 0,
    stage: 'chunk',
    reason: 'too long',
    attempts: 1,
    ...changes,
  };
}
