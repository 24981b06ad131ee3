import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { explainFileError } from '#embatch/core/file-errors.js';
import { makeFolder } from '#embatch/core/make-folder.js';
import { tempFolder } from '../../support/temp-folder.js';
import { unprivileged } from '../../support/unprivileged.js';

describe('making a folder', () => {
  it('makes those above it too, and may be repeated', async (t) => {
    const folder = join(await tempFolder(t), 'a', 'b', 'c');
    await makeFolder(folder);
    await makeFolder(folder);
    assert.ok((await stat(folder)).isDirectory());
  });

  it('says why it cannot, in words', async (t) => {
    const folder = await tempFolder(t);
    await writeFile(join(folder, 'file'), '');
    await assert.rejects(makeFolder(join(folder, 'file', 'a', 'b')), (error) =>
      explainFileError(error).includes('is a file, not a folder'),
    );
    await unprivileged(folder, async () => {
      await assert.rejects(makeFolder(join(folder, 'a', 'b')), (error) =>
        explainFileError(error).startsWith('permission denied'),
      );
    });
  });
});
