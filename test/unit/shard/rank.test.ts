import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import { detectRank, type RankOptions } from '#embatch/shard/rank.js';

interface Case {
  readonly name: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly options?: Partial<RankOptions>;
  /** Content of SageMaker's resourceconfig.json. */
  readonly resources?: string;
  /** `index of count from`, or what the error's message must hold. */
  readonly rank?: string;
  readonly error?: RegExp;
}

const hosts = (current: string, names: readonly string[], more = {}): string =>
  JSON.stringify({ current_host: current, hosts: names, ...more });

const elevenHosts = ['algo-1', 'algo-10', 'algo-11', ...[2, 3, 4, 5, 6, 7, 8, 9].map((n) => `algo-${n}`)];

const slurmArray = (
  id: number,
  count: number,
  min: number,
  max: number,
  step: number,
): Record<string, string> => ({
  SLURM_ARRAY_TASK_ID: `${id}`,
  SLURM_ARRAY_TASK_COUNT: `${count}`,
  SLURM_ARRAY_TASK_MIN: `${min}`,
  SLURM_ARRAY_TASK_MAX: `${max}`,
  SLURM_ARRAY_TASK_STEP: `${step}`,
});

const batch = (index: string, size: string): Record<string, string> => ({
  AWS_BATCH_JOB_ARRAY_INDEX: index,
  AWS_BATCH_JOB_ARRAY_SIZE: size,
});

const cases: readonly Case[] = [
  { name: 'nothing at all', rank: '0 of 1 from default' },
  { name: 'both flags', options: { shard: 2, shards: 4 }, rank: '2 of 4 from flag' },
  { name: 'one shard', options: { shard: 0, shards: 1 }, rank: '0 of 1 from flag' },
  { name: '--shards 1 alone', options: { shards: 1 }, rank: '0 of 1 from flag' },
  {
    name: 'flags before every engine',
    env: { ...batch('1', '2'), JOB_COMPLETION_INDEX: '7' },
    resources: hosts('algo-1', ['algo-1']),
    options: { shard: 0, shards: 3 },
    rank: '0 of 3 from flag',
  },
  { name: '--shard without --shards', options: { shard: 0 }, error: /--shards \(EMBATCH_SHARDS\)/ },
  {
    name: '--shard 4 --shards 4',
    options: { shard: 4, shards: 4 },
    error: /shards count from 0, so --shard is 0 to 3/,
  },
  { name: '--shards alone', options: { shards: 4 }, error: /--shard \(EMBATCH_SHARD\) from 0 to 3/ },
  {
    name: '--shards alone, nothing detected',
    options: { shards: 4, rankFrom: 'none' },
    error: /from 0 to 3/,
  },

  {
    name: 'a SageMaker host',
    resources: hosts('algo-2', ['algo-1', 'algo-2']),
    rank: '1 of 2 from sagemaker',
  },
  {
    name: 'SageMaker hosts, of which algo-10 comes before algo-2',
    resources: hosts('algo-2', elevenHosts, { network_interface_name: 'eth0', instance_groups: [] }),
    rank: '3 of 11 from sagemaker',
  },
  { name: 'a single SageMaker host', resources: hosts('algo-1', ['algo-1']), rank: '0 of 1 from sagemaker' },
  {
    name: 'a SageMaker host not in the list',
    resources: hosts('algo-3', ['algo-1']),
    error: /does not name/,
  },
  { name: 'a SageMaker file without hosts', resources: '{"current_host":"algo-1"}', error: /current_host/ },
  { name: 'a broken SageMaker file', resources: '{"current', error: /resourceconfig\.json is not JSON/ },
  { name: 'a SageMaker file with a list', resources: 'null', error: /no JSON object/ },
  {
    name: '--shards that SageMaker contradicts',
    resources: hosts('algo-1', ['algo-1', 'algo-2']),
    options: { shards: 3 },
    error: /--shards is 3, but sagemaker runs 2/,
  },
  {
    name: 'SageMaker, before generic variables',
    resources: hosts('algo-2', ['algo-1', 'algo-2']),
    env: { RANK: '0', WORLD_SIZE: '8' },
    options: { rankFrom: 'env' },
    rank: '1 of 2 from sagemaker',
  },
  {
    name: 'SageMaker with --rank-from none',
    resources: hosts('algo-2', ['algo-1', 'algo-2']),
    options: { rankFrom: 'none' },
    rank: '0 of 1 from default',
  },

  {
    name: 'a Kubernetes index with the total',
    env: { JOB_COMPLETION_INDEX: '3' },
    options: { shards: 5 },
    rank: '3 of 5 from kubernetes',
  },
  {
    name: 'a Kubernetes index alone',
    env: { JOB_COMPLETION_INDEX: '0' },
    error: /JOB_COMPLETION_INDEX is 0.*EMBATCH_SHARDS.*spec\.completions/,
  },
  {
    name: 'a Kubernetes index that is too high',
    env: { JOB_COMPLETION_INDEX: '5' },
    options: { shards: 5 },
    error: /kubernetes gives shard 5 of 5/,
  },
  { name: 'an empty Kubernetes index', env: { JOB_COMPLETION_INDEX: '' }, rank: '0 of 1 from default' },

  { name: 'a child of an AWS Batch array', env: batch('9', '10'), rank: '9 of 10 from aws-batch' },
  {
    name: 'an AWS Batch index without size',
    env: { AWS_BATCH_JOB_ARRAY_INDEX: '1' },
    error: /EMBATCH_SHARDS/,
  },
  {
    name: 'an AWS Batch index with the size from us',
    env: { AWS_BATCH_JOB_ARRAY_INDEX: '1' },
    options: { shards: 2 },
    rank: '1 of 2 from aws-batch',
  },
  {
    name: 'a node of an AWS Batch multi-node job',
    env: { AWS_BATCH_JOB_NODE_INDEX: '1', AWS_BATCH_JOB_NUM_NODES: '3', AWS_BATCH_JOB_MAIN_NODE_INDEX: '0' },
    rank: '1 of 3 from aws-batch',
  },
  { name: 'an AWS Batch index that is no number', env: batch('one', '2'), error: /ARRAY_INDEX is "one"/ },

  { name: 'a Slurm array', env: slurmArray(0, 4, 0, 3, 1), rank: '0 of 4 from slurm' },
  { name: 'a Slurm array that begins at 1', env: slurmArray(4, 4, 1, 4, 1), rank: '3 of 4 from slurm' },
  { name: 'a Slurm array with a step', env: slurmArray(15, 3, 5, 15, 5), rank: '2 of 3 from slurm' },
  { name: 'a Slurm array that is a list', env: slurmArray(5, 3, 1, 6, 1), error: /--array=0-2/ },
  {
    name: 'a Slurm array of which the total is not known',
    env: { SLURM_ARRAY_TASK_ID: '1' },
    error: /SLURM_ARRAY_TASK_COUNT/,
  },
  {
    name: 'a process of a Slurm step',
    env: { SLURM_PROCID: '2', SLURM_NTASKS: '4', SLURM_STEP_ID: '0' },
    rank: '2 of 4 from slurm',
  },
  {
    name: 'a Slurm batch script, outside any step',
    env: { SLURM_PROCID: '0', SLURM_NTASKS: '4' },
    rank: '0 of 1 from default',
  },
  {
    name: 'a Slurm interactive shell',
    env: { SLURM_PROCID: '0', SLURM_NTASKS: '4', SLURM_STEP_ID: '4294967290' },
    rank: '0 of 1 from default',
  },
  {
    name: 'a step within a Slurm array',
    env: { ...slurmArray(1, 3, 0, 2, 1), SLURM_PROCID: '1', SLURM_NTASKS: '2', SLURM_STEP_ID: '0' },
    rank: '3 of 6 from slurm',
  },

  {
    name: 'a parallel GitLab job',
    env: { CI_NODE_INDEX: '1', CI_NODE_TOTAL: '3' },
    rank: '0 of 3 from gitlab',
  },
  {
    name: 'the last GitLab job',
    env: { CI_NODE_INDEX: '3', CI_NODE_TOTAL: '3' },
    rank: '2 of 3 from gitlab',
  },
  { name: 'any other GitLab job', env: { CI_NODE_TOTAL: '1' }, rank: '0 of 1 from default' },
  { name: 'a GitLab index of 0', env: { CI_NODE_INDEX: '0', CI_NODE_TOTAL: '3' }, error: /counts from 1/ },
  {
    name: 'Buildkite',
    env: { BUILDKITE_PARALLEL_JOB: '1', BUILDKITE_PARALLEL_JOB_COUNT: '2' },
    rank: '1 of 2 from buildkite',
  },
  { name: 'CircleCI', env: { CIRCLE_NODE_INDEX: '1', CIRCLE_NODE_TOTAL: '2' }, rank: '1 of 2 from circleci' },
  {
    name: 'CircleCI without parallelism',
    env: { CIRCLE_NODE_INDEX: '0', CIRCLE_NODE_TOTAL: '1' },
    rank: '0 of 1 from default',
  },

  { name: 'RANK, unasked', env: { RANK: '1', WORLD_SIZE: '2' }, rank: '0 of 1 from default' },
  {
    name: 'RANK, asked for',
    env: { RANK: '1', WORLD_SIZE: '2' },
    options: { rankFrom: 'env' },
    rank: '1 of 2 from env',
  },
  { name: 'RANK alone', env: { RANK: '1' }, options: { rankFrom: 'env' }, error: /WORLD_SIZE is not set/ },
  {
    name: 'RANK in an engine',
    env: { RANK: '0', WORLD_SIZE: '8', ...batch('1', '4') },
    options: { rankFrom: 'env' },
    rank: '1 of 4 from aws-batch',
  },
];

describe('the rank of a process', () => {
  for (const { name, env = {}, options = {}, resources, rank, error } of cases) {
    it(`${name}: ${rank ?? 'is refused'}`, async () => {
      const readText = (path: string): Promise<string | undefined> =>
        Promise.resolve(path === '/opt/ml/config/resourceconfig.json' ? resources : undefined);
      const found = detectRank(env, { rankFrom: 'auto', ...options }, readText);
      if (error === undefined) {
        const { index, count, from } = await found;
        assert.equal(`${index} of ${count} from ${from}`, rank);
      } else {
        await assert.rejects(
          found,
          (thrown) => isEmbatchError(thrown, 'USAGE') && error.test(thrown.message),
        );
      }
    });
  }

  it('is asked of the file system, where a missing file is no error', async () => {
    assert.deepEqual(await detectRank({}, { rankFrom: 'auto' }), { index: 0, count: 1, from: 'default' });
  });
});
