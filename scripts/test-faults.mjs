/**
 * npm run test:faults [-- --long] [--seed N] [FILE …]
 * Plays the faults of test/faults through the whole program, in the short form that is a part of `npm test`, or in the
 * long one (docs/faults.md).
 */
import { parseArgs } from 'node:util';
import { run, runMain, ScriptError } from './lib/process.mjs';
import { at } from './lib/project.mjs';

/** The longest test of the long form: a hundred runs that are killed. */
const LONG_HANG_MS = 3_600_000;

await runMain(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { long: { type: 'boolean', default: false }, seed: { type: 'string' } },
  });
  if (values.seed !== undefined && !/^\d+$/.test(values.seed)) {
    throw new ScriptError(`--seed ${values.seed} is no whole number`);
  }
  const files = positionals.length === 0 ? ['faults'] : positionals;
  const options = values.long ? [`--test-timeout=${String(LONG_HANG_MS)}`] : [];
  return run(process.execPath, [at('scripts/test.mjs'), ...files, ...options], {
    env: {
      ...process.env,
      ...(values.long ? { EMBATCH_TEST_FAULTS: 'long' } : {}),
      ...(values.seed === undefined ? {} : { EMBATCH_TEST_FAULTS_SEED: values.seed }),
    },
  });
});
