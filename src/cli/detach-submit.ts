import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EmbatchError } from '../core/errors.js';
import type { Engine } from '../engines/engine.js';
import { latestSubmission } from '../job/fleet/submissions.js';
import { openState } from '../ledger/open-state.js';
import { submittedText } from './submit-output.js';

const LOOK_EVERY_MS = 200;
/** Longer than a model takes to be looked at. */
const MAX_START_MS = 120_000;

/**
 * Starts the same command once more, with `--wait` and away from this terminal, and returns when it has taken the job.
 * Errors: USAGE with its words where it has not.
 */
export async function detachSubmit(stateUri: string, engine: Engine, json: boolean): Promise<number> {
  const folder = engine.logsOf({ name: '', shards: 0, handle: undefined });
  mkdirSync(folder, { recursive: true });
  const log = join(folder, 'submit.log');
  const file = openSync(log, 'w');
  const [script = '', ...words] = process.argv.slice(1);
  const child = spawn(
    process.execPath,
    [...process.execArgv, script, ...words.filter((word) => word !== '--json'), '--wait'],
    {
      stdio: ['ignore', file, file],
      detached: true,
    },
  );
  closeSync(file);
  let exitCode: number | null | undefined;
  child.once('exit', (code) => (exitCode = code));
  const store = await openState(stateUri);
  try {
    const deadline = Date.now() + MAX_START_MS;
    while (Date.now() < deadline) {
      const submission = await latestSubmission(store);
      if (submission?.handle?.endsWith(`/${child.pid}`) === true) {
        child.unref();
        process.stdout.write(submittedText(submission, engine, stateUri, json));
        return 0;
      }
      if (exitCode !== undefined) break;
      await delay(LOOK_EVERY_MS);
    }
  } finally {
    await store.close();
    child.unref();
  }
  if (exitCode === undefined) {
    throw new EmbatchError(
      'ENGINE',
      `the job has not begun yet; it goes on in the background: ${log} says how.`,
    );
  }
  const lastLine = readFileSync(log, 'utf8').trim().split('\n').at(-1) ?? '';
  throw new EmbatchError('USAGE', `nothing was started (${log}): ${lastLine.replace(/^embatch: /, '')}`);
}
