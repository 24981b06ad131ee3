/** The examples do what they say: their own commands are run, over a folder in place of a bucket. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { parse } from 'yaml';
import { cli, projectRoot, testData } from '../support/paths.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a line of a shell script in which `embatch` is the built program. */
function shell(script: string, cwd: string, env: Readonly<Record<string, string>>): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const { PATH = '', HOME = '' } = process.env;
    const program = `embatch() { "${process.execPath}" "${cli}" "$@"; }\n`;
    const child = spawn('sh', ['-ec', program + script], { cwd, env: { PATH, HOME, ...env } });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code: code ?? 1, stdout, stderr });
    });
  });
}

const documents = Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`docs/${n}.md`, `Document ${n}.`]));

/** The places of an example, on this machine; all else stays as it is written. */
const here = {
  EMBATCH_SOURCE: 'docs',
  EMBATCH_SINK: 'lancedb:vectors',
  EMBATCH_STATE: 'state',
  EMBATCH_MODEL: testData('models/tiny-bert'),
};

async function workflow<Content>(name: string): Promise<Content> {
  return parse(await readFile(join(projectRoot, 'examples', name), 'utf8')) as Content;
}

async function prepared(t: TestContext): Promise<string> {
  const folder = await tempFolder(t);
  await writeFiles(folder, documents);
  return folder;
}

test('cron: the index is brought up to date and proved, and a bad night is said to be one', async (t) => {
  const folder = await prepared(t);
  await cp(join(projectRoot, 'examples/cron'), folder, { recursive: true });
  const env = { EMBATCH: `${process.execPath} ${cli}`, EMBATCH_MODEL: here.EMBATCH_MODEL };
  const night = (): Promise<Ran> => shell('./nightly.sh', folder, env);
  const first = await night();
  assert.deepEqual([first.code, first.stderr], [0, '']);
  assert.match(await readFile(join(folder, 'nightly.log'), 'utf8'), /Clean|clean/);
  assert.match(await readFile(join(folder, 'summary.json'), 'utf8'), /"embedded":9/);
  await writeFiles(folder, { 'docs/broken.jsonl': '{"text": broken}\n' });
  const second = await night();
  assert.equal(second.code, 20);
  assert.match(second.stderr, /exit code 20/);
});

test('GitLab: four parallel jobs, then the last stage', async (t) => {
  const folder = await prepared(t);
  interface GitLab {
    readonly variables: Readonly<Record<string, string>>;
    readonly index: { readonly parallel: number; readonly script: readonly string[] };
    readonly finalize: { readonly script: readonly string[] };
  }
  const { variables, index, finalize } = await workflow<GitLab>('gitlab/index.yml');
  const common = { ...variables, ...here, CI_NODE_TOTAL: String(index.parallel) };
  for (let node = 1; node <= index.parallel; node++) {
    if (node === index.parallel) {
      const early = await shell(finalize.script.join('\n'), folder, { ...common, CI_NODE_TOTAL: '1' });
      assert.equal(early.code, 2, 'an index that lacks a shard is not closed');
    }
    const ran = await shell(index.script.join('\n'), folder, { ...common, CI_NODE_INDEX: String(node) });
    assert.equal(ran.code, 0, ran.stderr);
  }
  const last = await shell(finalize.script.join('\n'), folder, { ...common, CI_NODE_TOTAL: '1' });
  assert.equal(last.code, 0, last.stderr);
});

test('GitHub Actions: a matrix of four, then finalize', async (t) => {
  const folder = await prepared(t);
  interface Step {
    readonly run?: string;
    readonly env?: Readonly<Record<string, string>>;
  }
  interface GitHub {
    readonly env: Readonly<Record<string, string>>;
    readonly jobs: {
      readonly shard: {
        readonly strategy: { readonly matrix: { readonly shard: readonly number[] } };
        readonly steps: readonly Step[];
      };
      readonly finalize: { readonly steps: readonly Step[] };
    };
  }
  const { env, jobs } = await workflow<GitHub>('github-actions/index.yml');
  const { shard: shards } = jobs.shard.strategy.matrix;
  const steps = async (
    all: readonly Step[],
    expressions: Readonly<Record<string, string>>,
  ): Promise<void> => {
    for (const step of all) {
      if (step.run?.startsWith('embatch') !== true) continue;
      const own = Object.entries(step.env ?? {}).map(([name, value]) => [name, expressions[value] ?? value]);
      const variables = Object.fromEntries(own) as Record<string, string>;
      const ran = await shell(step.run, folder, { ...env, ...here, ...variables });
      assert.equal(ran.code, 0, ran.stderr);
    }
  };
  for (const shard of shards) {
    await steps(jobs.shard.steps, {
      '${{ strategy.job-index }}': String(shard),
      '${{ strategy.job-total }}': String(shards.length),
    });
  }
  await steps(jobs.finalize.steps, {});
});
