import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import { copiedInput } from '#embatch/shard/sagemaker.js';

const config = {
  ProcessingJobName: 'embed',
  ProcessingInputs: [
    { InputName: 'code', DatasetDefinition: {} },
    { InputName: 'declared', AppManaged: true, S3Input: { S3Uri: 's3://bucket/declared' } },
    {
      InputName: 'docs',
      S3Input: {
        LocalPath: '/opt/ml/processing/input/docs',
        S3Uri: 's3://bucket/corpus/',
        S3DataType: 'S3Prefix',
        S3DataDistributionType: 'ShardedByS3Key',
      },
    },
    {
      InputName: 'all',
      S3Input: {
        LocalPath: '/opt/ml/processing/input/all',
        S3Uri: 's3://bucket/all',
        S3DataType: 'S3Prefix',
        S3DataDistributionType: 'FullyReplicated',
      },
    },
    {
      InputName: 'listed',
      S3Input: {
        LocalPath: '/opt/ml/processing/input/listed/',
        S3Uri: 's3://bucket/list.manifest',
        S3DataType: 'ManifestFile',
        S3DataDistributionType: 'ShardedByS3Key',
      },
    },
  ],
};

const cases = [
  ['the copied folder', '/opt/ml/processing/input/docs', 's3://bucket/corpus', true],
  ['the folder with a slash', '/opt/ml/processing/input/docs/', 's3://bucket/corpus', true],
  ['a folder within it', '/opt/ml/processing/input/docs/2024/a', 's3://bucket/corpus/2024/a', true],
  ['an input that every host has', '/opt/ml/processing/input/all', 's3://bucket/all', false],
  ['files of a manifest', '/opt/ml/processing/input/listed', undefined, true],
] as const;

describe('an input that SageMaker copied into the container', () => {
  const readText = (text: string | undefined) => (path: string) =>
    Promise.resolve(path === '/opt/ml/config/processingjobconfig.json' ? text : undefined);

  for (const [name, path, s3Uri, sharded] of cases) {
    it(`is found for ${name}`, async () => {
      const input = await copiedInput(path, readText(JSON.stringify(config)));
      assert.deepEqual({ s3Uri: input?.s3Uri, sharded: input?.sharded }, { s3Uri, sharded });
    });
  }

  for (const path of ['/opt/ml/processing/input', '/opt/ml/processing/input/docs-2', '/data']) {
    it(`is not found for ${path}`, async () => {
      assert.equal(await copiedInput(path, readText(JSON.stringify(config))), undefined);
    });
  }

  it('is not looked for outside a job', async () => {
    assert.equal(await copiedInput('/data', readText(undefined)), undefined);
    assert.equal(await copiedInput('/data', readText('{}')), undefined);
  });

  it('is refused where the file is broken', async () => {
    await assert.rejects(copiedInput('/data', readText('{')), (error) => isEmbatchError(error, 'USAGE'));
  });
});
