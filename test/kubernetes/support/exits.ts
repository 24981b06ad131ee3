/**
 * What runs in a container where a test needs an exit code: EXITS holds, by shard, what its first, second, … process
 * does: an exit code, or `wait` for SIGTERM and 143 after it. Each leaves a file `SHARD.ATTEMPT` in EXITS_FOLDER.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const { EXITS = '{}', EXITS_FOLDER = '.', JOB_COMPLETION_INDEX = '' } = process.env;
const plan = JSON.parse(EXITS) as Readonly<Record<string, readonly (number | 'wait')[]>>;

const before = readdirSync(EXITS_FOLDER).filter((file) => file.startsWith(`${JOB_COMPLETION_INDEX}.`)).length;
const step = plan[JOB_COMPLETION_INDEX]?.[before] ?? 0;
if (step === 'wait') {
  const waiting = setInterval(() => undefined, 1000);
  process.once('SIGTERM', () => {
    clearInterval(waiting);
    process.exitCode = 143;
  });
} else {
  console.log(`shard ${JOB_COMPLETION_INDEX} ends with ${step}`);
  process.exitCode = step;
}
// Last: who sees the file may count on the signal being heard.
writeFileSync(join(EXITS_FOLDER, `${JOB_COMPLETION_INDEX}.${before}`), JSON.stringify(process.env));
