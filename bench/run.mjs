/**
 * npm run bench [-- --mb 4]
 *
 * In one run and on one machine: the bare model loop, and the whole program from S3 to OpenSearch and from a folder to
 * LanceDB, over the same documents with the same model, batches and threads. Figures of different runs or machines
 * do not compare; the ratios do.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { at } from '../scripts/lib/project.mjs';
import { startServices } from '../scripts/services/index.mjs';
import { bareLoop } from './bare-loop.mjs';
import { writeCorpus } from './corpus.mjs';
import { machineFacts } from './machine.mjs';
import { measureCli } from './measure-cli.mjs';

const { values } = parseArgs({ options: { mb: { type: 'string', default: '2' } } });
const dist = at('dist');
const cli = at('dist/cli/main.js');
const bucket = 'bench';
const batchTokens = 512;

async function fillBucket(folder, environment) {
  Object.assign(process.env, environment);
  const { S3Client, CreateBucketCommand, PutObjectCommand } = await import('@aws-sdk/client-s3');
  const client = new S3Client({ forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  for (const name of await readdir(folder)) {
    await client.send(
      new PutObjectCommand({ Bucket: bucket, Key: name, Body: await readFile(path.join(folder, name)) }),
    );
  }
  client.destroy();
}

function row(name, { seconds, tokens, documents, peakMb, mainThreadShare, othersShare }, bare) {
  const rate = tokens / seconds;
  return {
    measured: name,
    seconds: seconds.toFixed(1),
    'tokens/s': Math.round(rate),
    'documents/s': (documents / seconds).toFixed(1),
    'of the bare loop': bare === undefined ? '1.00' : (rate / bare).toFixed(2),
    'peak MB': peakMb === undefined ? '' : Math.round(peakMb),
    'main thread': ofACore(mainThreadShare),
    'servers and others': ofACore(othersShare),
  };
}

const ofACore = (share) => (share === undefined ? '' : `${(share * 100).toFixed(0)} % of a core`);

const asRow = ({ summary, ...rest }) => ({ ...rest, tokens: summary.tokens, documents: summary.documents });

const folder = await mkdtemp(path.join(os.tmpdir(), 'embatch-bench-'));
const services = await startServices(['s3', 'opensearch'], { signal: new AbortController().signal });
try {
  if (services.missing.length > 0) throw new Error(services.missing.join('\n'));
  const { grantedCpus } = await import(path.join(dist, 'embed/cpus.js'));
  const workers = grantedCpus();
  const documents = path.join(folder, 'documents');
  const corpus = await writeCorpus({ docs: at('docs'), folder: documents, bytes: Number(values.mb) * 1e6 });
  await fillBucket(documents, services.environment);
  const facts = await machineFacts();
  console.log(
    `\n${facts}\n${corpus.files} documents, ${corpus.bytes} bytes, ${workers} workers, ${batchTokens} padded tokens a batch\n`,
  );

  const flags = ['--workers', String(workers), '--batch-tokens', String(batchTokens)];
  const openSearch = services.environment.EMBATCH_TEST_OPENSEARCH.replace('http:', 'opensearch+http:');
  const loop = () => bareLoop({ dist, folder: documents, workers, batchTokens });
  const before = await loop();
  const lance = await measureCli({
    cli,
    args: ['run', documents, '--sink', `lancedb:${path.join(folder, 'vectors')}`, ...flags],
  });
  const search = await measureCli({
    cli,
    args: [
      'run',
      `s3://${bucket}/`,
      '--sink',
      `${openSearch}/bench`,
      '--state',
      path.join(folder, 'state'),
      ...flags,
    ],
    env: services.environment,
  });
  const after = await loop();
  // The machine's speed drifts: the loop is measured on both sides of what is compared with it.
  const bare = { ...before, seconds: (before.seconds + after.seconds) / 2 };
  const rate = bare.tokens / bare.seconds;
  console.table([
    row('bare model loop', bare),
    row('folder to LanceDB', asRow(lance), rate),
    row('S3 to OpenSearch', asRow(search), rate),
  ]);
  console.log(`the two loops differ by a factor of ${(after.seconds / before.seconds).toFixed(2)}`);
} finally {
  await services.stop();
  await rm(folder, { recursive: true, force: true });
}
