import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { listModels } from '#embatch/embed/store/list-models.js';
import { openModel, pullModel, type OpenModelOptions } from '#embatch/embed/store/open-model.js';
import { folderFiles } from '#embatch/embed/store/snapshot-files.js';
import { startFaultProxy, type FaultProxy, type SeenRequest } from '../../support/fault-proxy.js';
import { filesOf } from '../../support/hub-server.js';
import { testData } from '../../support/paths.js';
import { recordingLogger, type RecordingLogger } from '../../support/recording-logger.js';
import { createTestBucket, type TestBucket } from '../../support/s3-bucket.js';
import { s3Url, skipWithoutS3 as skip } from '../../support/services.js';
import { tempFolder } from '../../support/temp-folder.js';

let bucket: TestBucket;
let proxy: FaultProxy;
let model: Record<string, Buffer>;
let prefixes = 0;

before(async () => {
  if (skip !== false) return;
  bucket = await createTestBucket();
  proxy = await startFaultProxy(s3Url());
  model = await filesOf(testData('models/tiny-bert'));
});
after(async () => {
  if (skip !== false) return;
  bucket.client.destroy();
  await proxy.close();
});

interface TestModel {
  /** `s3://bucket/prefix` */
  readonly uri: string;
  readonly prefix: string;
  readonly cache: string;
  readonly options: OpenModelOptions & { readonly log: RecordingLogger };
}

/** The tiny model, and what a run does not need, below a prefix of the test's own; an empty cache. */
async function uploaded(t: TestContext): Promise<TestModel> {
  const prefix = `models/größe ${String(++prefixes)}/tiny-bert`;
  await bucket.putAll([
    ...Object.entries(model).map(([path, content]) => [`${prefix}/${path}`, content] as const),
    [`${prefix}/`, ''],
    [`${prefix}/pytorch_model.bin`, 'not needed'],
    [`${prefix}/onnx/model_quantized.onnx`, 'not needed'],
    [`${prefix}-old/config.json`, '{"not":"this one"}'],
  ]);
  const cache = await tempFolder(t);
  const former = { endpoint: process.env['AWS_ENDPOINT_URL_S3'], cache: process.env['XDG_CACHE_HOME'] };
  process.env['AWS_ENDPOINT_URL_S3'] = proxy.url;
  process.env['XDG_CACHE_HOME'] = cache;
  proxy.reset();
  t.after(() => {
    process.env['AWS_ENDPOINT_URL_S3'] = former.endpoint;
    if (former.cache === undefined) Reflect.deleteProperty(process.env, 'XDG_CACHE_HOME');
    else process.env['XDG_CACHE_HOME'] = former.cache;
  });
  return {
    uri: `s3://${bucket.name}/${prefix}`,
    prefix,
    cache,
    options: {
      precision: 'auto',
      log: recordingLogger(),
      patience: { attempts: 4, firstDelayMs: 1, maxDelayMs: 4 },
    },
  };
}

async function assertModel(folder: string): Promise<void> {
  assert.deepEqual(
    (await folderFiles(folder)).map(({ path }) => path),
    Object.keys(model).sort(),
  );
  for (const [path, content] of Object.entries(model)) {
    assert.deepEqual(await readFile(join(folder, path)), content, path);
  }
}

const isGet = ({ method, url }: SeenRequest): boolean => method === 'GET' && !url.includes('list-type');
const isGraph = (request: SeenRequest): boolean => isGet(request) && request.url.includes('model.onnx');
const gets = (): number => proxy.requests.filter(isGet).length;

test(
  'a model below a prefix is fetched once, whole, and nothing that a run does not need',
  { skip },
  async (t) => {
    const { uri, cache, options } = await uploaded(t);
    const opened = await openModel(`${uri}/`, options);
    assert.equal(opened.id, 'tiny-bert');
    assert.equal(opened.revision, null);
    assert.ok(opened.folder.startsWith(join(cache, 'embatch', 'models', 's3')));
    await assertModel(opened.folder);
    assert.equal(gets(), Object.keys(model).length);
    assert.deepEqual(await openModel(uri, options), opened);
    const pulled = await pullModel(uri, options);
    assert.deepEqual([pulled.folder, pulled.bytesFetched], [opened.folder, 0]);
    assert.equal(gets(), Object.keys(model).length, 'nothing is fetched twice');
    assert.deepEqual((await listModels()).map(({ ref, folder }) => ({ ref, folder })).slice(1), [
      { ref: uri, folder: opened.folder },
    ]);
  },
);

test('a prefix that changed is another folder, and the former one stays as it was', { skip }, async (t) => {
  const { uri, prefix, options } = await uploaded(t);
  const before = await openModel(uri, options);
  // As many bytes as before.
  const config = Buffer.from((model['config.json'] ?? Buffer.of()).toString().replace('gelu', 'relu'));
  await bucket.put(`${prefix}/config.json`, config);
  const now = await openModel(uri, options);
  assert.notEqual(now.folder, before.folder);
  assert.deepEqual(await readFile(join(now.folder, 'config.json')), config);
  await assertModel(before.folder);
});

test('a body that is cut goes on by a range of the same version', { skip }, async (t) => {
  const { uri, options } = await uploaded(t);
  proxy.add({ fault: { kind: 'cut', bytes: 40_000 }, when: isGraph, times: 1 });
  const { folder } = await openModel(uri, options);
  await assertModel(folder);
  const asked = proxy.requests.filter(isGraph).map(({ headers }) => headers['range']);
  assert.deepEqual(asked, [undefined, 'bytes=40000-']);
  assert.ok(proxy.requests.filter(isGet).every(({ headers }) => headers['if-match'] !== undefined));
});

test('a pull that failed is taken up where it stopped', { skip }, async (t) => {
  const { uri, options } = await uploaded(t);
  const once = { ...options, patience: { ...options.patience, attempts: 1, firstDelayMs: 1, maxDelayMs: 1 } };
  proxy.add({ fault: { kind: 'cut', bytes: 40_000 }, when: isGraph, times: 1 });
  await assert.rejects(openModel(uri, once), { code: 'MODEL', message: /broke off at byte 40000 of \d+/ });
  const soFar = gets();
  const { folder } = await openModel(uri, options);
  await assertModel(folder);
  assert.equal(proxy.requests.filter(isGraph).at(-1)?.headers['range'], 'bytes=40000-');
  assert.equal(gets(), soFar + 1, 'what was there is not fetched again');
});

test(
  'an object that changes between listing and fetching ends in words, not in a mixture',
  { skip },
  async (t) => {
    const { uri, options } = await uploaded(t);
    proxy.add({ fault: { kind: 'respond', status: 412 }, when: isGraph, times: 1 });
    await assert.rejects(openModel(uri, options), { code: 'MODEL', message: /changed while.*Run again/ });
  },
);

test('a prefix that is empty or gone, a bucket that is not there: MODEL, naming it', { skip }, async (t) => {
  const { uri, prefix, options } = await uploaded(t);
  await openModel(uri, options);
  await bucket.client.send(
    new DeleteObjectsCommand({
      Bucket: bucket.name,
      Delete: {
        Objects: [...Object.keys(model), 'pytorch_model.bin', 'onnx/model_quantized.onnx', ''].map(
          (path) => ({ Key: `${prefix}/${path}` }),
        ),
      },
    }),
  );
  await assert.rejects(openModel(uri, options), { code: 'MODEL', message: /tiny-bert holds no files/ });
  await assert.rejects(openModel('s3://embatch-no-such-bucket/x', options), {
    code: 'MODEL',
    message: /Cannot list s3:\/\/embatch-no-such-bucket\/x: .*NoSuchBucket/,
  });
});

test('a key that would leave the folder is refused', { skip }, async (t) => {
  const { uri, prefix, options } = await uploaded(t);
  await bucket.put(`${prefix}/../evil.json`, '{}');
  await assert.rejects(openModel(uri, options), {
    code: 'MODEL',
    message: /lists a file "\.\.\/evil\.json"/,
  });
  assert.equal(gets(), 0);
});

test('a prefix without a graph is refused by name', { skip }, async (t) => {
  const { options } = await uploaded(t);
  await bucket.put('bare/config.json', '{"model_type":"bert"}');
  await assert.rejects(openModel(`s3://${bucket.name}/bare`, options), {
    code: 'MODEL',
    message: new RegExp(`^s3://${bucket.name}/bare: .*no ONNX file`),
  });
});

const isTokenizer = (request: SeenRequest): boolean =>
  isGet(request) && request.url.endsWith('tokenizer.json?x-id=GetObject');

/** Other bytes of the right number, as a mixed-up cache on the way gives them. */
function otherTokenizer(letter: string): {
  kind: 'respond';
  status: number;
  headers: Record<string, string>;
  body: string;
} {
  const body = letter.repeat(model['tokenizer.json']?.length ?? 0);
  return { kind: 'respond', status: 200, headers: { 'content-length': String(body.length) }, body };
}

test('content that its ETag is no hash of is fetched once more', { skip }, async (t) => {
  const { uri, options } = await uploaded(t);
  proxy.add({ fault: otherTokenizer('x'), when: isTokenizer, times: 1 });
  const { folder } = await openModel(uri, options);
  await assertModel(folder);
  assert.equal(proxy.requests.filter(isTokenizer).length, 2);
  assert.ok(
    options.log.lines.some((line) => /^warn tokenizer\.json .*wrong content \(its hash is/.test(line)),
  );
});

test(
  'content that is wrong in another way each time is refused, and none of it kept',
  { skip },
  async (t) => {
    const { uri, cache, options } = await uploaded(t);
    proxy.add({ fault: otherTokenizer('x'), when: isTokenizer, times: 1 });
    proxy.add({ fault: otherTokenizer('y'), when: isTokenizer, times: 1 });
    await assert.rejects(openModel(uri, options), {
      code: 'MODEL',
      message: /tokenizer\.json .*wrong content 2 times/,
    });
    const kept = (await folderFiles(cache)).map(({ path }) => path);
    assert.ok(!kept.some((path) => path.includes('tokenizer.json')), kept.join());
  },
);

test(
  'a store whose ETags are no hashes is taken at its word when content comes twice alike',
  { skip },
  async (t) => {
    const { uri, options } = await uploaded(t);
    proxy.add({ fault: otherTokenizer('x'), when: isTokenizer });
    const { folder } = await openModel(uri, options);
    assert.equal((await readFile(join(folder, 'tokenizer.json'), 'utf8'))[0], 'x');
    assert.ok(options.log.lines.some((line) => /^warn .*only its size is checked/.test(line)));
  },
);

test('a file that was uploaded in parts is checked, too', { skip }, async (t) => {
  const { uri, prefix, options } = await uploaded(t);
  const content = Buffer.alloc(12_000_000, 'word\n');
  const target = { Bucket: bucket.name, Key: `${prefix}/vocab.txt` };
  const { UploadId } = await bucket.client.send(new CreateMultipartUploadCommand(target));
  const PART_BYTES = 5 * 2 ** 20;
  const Parts = [];
  for (let PartNumber = 1; (PartNumber - 1) * PART_BYTES < content.length; PartNumber++) {
    const Body = content.subarray((PartNumber - 1) * PART_BYTES, PartNumber * PART_BYTES);
    const { ETag } = await bucket.client.send(
      new UploadPartCommand({ ...target, UploadId, PartNumber, Body }),
    );
    Parts.push({ PartNumber, ETag });
  }
  const { ETag = '' } = await bucket.client.send(
    new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } }),
  );
  assert.match(ETag, /-3"$/);
  const body = content.toString().replace('word', 'lord');
  const isVocabulary = (request: SeenRequest): boolean => isGet(request) && request.url.includes('vocab.txt');
  proxy.add({
    fault: { kind: 'respond', status: 200, headers: { 'content-length': String(body.length) }, body },
    when: isVocabulary,
    times: 1,
  });
  const { folder } = await openModel(uri, options);
  assert.deepEqual(await readFile(join(folder, 'vocab.txt')), content);
  assert.equal(proxy.requests.filter(isVocabulary).length, 2);
});
