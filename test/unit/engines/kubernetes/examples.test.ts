import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { projectRoot } from '../../../support/paths.js';
import { runCli } from '../../../support/run-cli.js';
import { tempFolder } from '../../../support/temp-folder.js';

const folder = join(projectRoot, 'examples', 'kubernetes');

interface CronJob {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly jobTemplate: { readonly spec: unknown } };
}

test('the example of a CronJob is what its command prints', async (t) => {
  const { command, manifest } = await example('cronjob.yaml');
  const printed = await runCli(command, { env: { HOME: await tempFolder(t) } });
  assert.equal(printed.code, 0, printed.stderr);
  assert.equal(printed.stdout, manifest);
});

/** Its command asks state and cluster which attempt is the next one; test/kubernetes runs such a command. */
test('the example of a Job is what the CronJob starts, as the first attempt', async () => {
  const [job, cronJob] = await Promise.all([example('job.yaml'), example('cronjob.yaml')]);
  assert.deepEqual(
    job.command,
    cronJob.command.filter((word) => word !== '--schedule' && word !== '0 3 * * *'),
  );
  const { metadata, spec } = parse(cronJob.manifest) as CronJob;
  const made = { apiVersion: 'batch/v1', kind: 'Job', metadata, spec: spec.jobTemplate.spec };
  const text = JSON.stringify(made).replaceAll(`"${metadata.name}"`, `"${metadata.name}-a1"`);
  assert.deepEqual(parse(job.manifest), JSON.parse(text));
});

/** The command of the comment that it begins with, and what follows. */
async function example(name: string): Promise<{ readonly command: string[]; readonly manifest: string }> {
  const lines = (await readFile(join(folder, name), 'utf8')).split('\n');
  const length = lines.findIndex((line) => !line.startsWith('#'));
  const line = lines.slice(1, length).join(' ').replaceAll(/[#\\]/g, ' ');
  const [, ...command] = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(
    ([, quoted, word]) => quoted ?? word ?? '',
  );
  return { command, manifest: lines.slice(length).join('\n') };
}
