import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { projectRoot } from '../../support/paths.js';

const module = (path: string): string => JSON.stringify(pathToFileURL(join(projectRoot, 'dist', path)).href);

/** In a process of its own: what is tested is that the process does not abort. */
function runScript(body: string): { status: number | null; stderr: string } {
  const script = `
    import { createPool } from ${module('embed/pool.js')};
    const file = new URL(${module('job/worker.js')});
    ${body}`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  return { status, stderr };
}

test('a pool that is closed while its workers still load ends without an abort', () => {
  const { status, stderr } = runScript(`
    for (let round = 0; round < 4; round++) {
      const pool = createPool({ file, settings: {}, workers: 2 });
      await new Promise((resolve) => setTimeout(resolve, 60 * round));
      await pool.close();
    }`);
  assert.equal(status, 0, stderr);
});

test('pools that are closed at once, many times over, end without an abort', () => {
  // A worker that ends within Node's own import of its module aborts the process: seldom, hence the number.
  const { status, stderr } = runScript(`
    for (let round = 0; round < 25; round++) await createPool({ file, settings: {}, workers: 2 }).close();`);
  assert.equal(status, 0, stderr);
});

test('a worker module that cannot be loaded fails the run, and the pool still closes', () => {
  const { status, stderr } = runScript(`
    const pool = createPool({ file: new URL('file:///no/such/worker.js'), settings: {}, workers: 1 });
    const outcome = await pool.run({}).then(() => 'done', (error) => error.code);
    await pool.close();
    if (outcome !== 'BUG') throw new Error(String(outcome));`);
  assert.equal(status, 0, stderr);
});
