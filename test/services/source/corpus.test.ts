import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { openSource } from '#embatch/source/open-source.js';
import { recordingLogger } from '../../support/recording-logger.js';
import { createTestBucket } from '../../support/s3-bucket.js';
import { skipWithoutS3 } from '../../support/services.js';
import { sharedFolder } from '../../support/shared.js';
import { readAll } from '../../support/sources.js';
import { tempFolder } from '../../support/temp-folder.js';

interface ManifestLine {
  readonly key: string;
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

const shared = sharedFolder() ?? '';
const skip = shared === '' ? 'no shared folder with corpus-docs beside the project' : skipWithoutS3;

test('the odd and the empty keys of the corpus come out of S3 as they went in', { skip }, async (t) => {
  const files = await tempFolder(t);
  await promisify(execFile)('tar', ['-xzf', join(shared, 'data/corpus-docs.tar.gz'), '-C', files]);
  const lines = (await readFile(join(shared, 'data/corpus-docs.manifest.jsonl'), 'utf8'))
    .trimEnd()
    .split('\n');
  const objects = lines
    .map((line) => JSON.parse(line) as ManifestLine)
    // The test server answers 404 to a line break in a key.
    .filter(({ key }) => /^(?:odd|empty)\//.test(key) && !key.includes('\n'));
  assert.ok(objects.length > 50);

  const bucket = await createTestBucket();
  for (const { key, file } of objects) await bucket.put(key, await readFile(join(files, file)));
  bucket.client.destroy();

  const source = await openSource(`s3://${bucket.name}`, { log: recordingLogger() });
  const read: ManifestLine[] = [];
  for await (const object of source.list()) {
    const bytes = await readAll(await source.open(object));
    assert.equal(bytes.byteLength, object.size);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    read.push({ key: object.key, file: '', bytes: object.size, sha256 });
  }
  await source.close();

  const expected = objects
    .filter(({ key, bytes }) => !(key.endsWith('/') && bytes === 0))
    .map(({ key, bytes, sha256 }) => ({ key, file: '', bytes, sha256 }))
    .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  assert.deepEqual(read, expected);
});
