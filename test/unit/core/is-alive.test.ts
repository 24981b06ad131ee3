import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { isAlive } from '#embatch/core/is-alive.js';
import { eventually } from '../../support/eventually.js';

test('a process that works is alive, one that never was is not', () => {
  assert.equal(isAlive(process.pid), true);
  assert.equal(isAlive(2 ** 22 + 1), false);
});

const skip = process.platform === 'linux' ? false : 'only Linux tells so by /proc';
test('one that has ended is not alive, also while its parent has not asked after it', { skip }, async (t) => {
  // The shell's place is taken by a program that never asks.
  const parent = spawn('sh', ['-c', 'sleep 0.3 & echo $!; exec sleep 60']);
  t.after(() => parent.kill('SIGKILL'));
  const [output] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(output.toString());
  await eventually('it has ended', async () => (await readFile(`/proc/${pid}/stat`, 'utf8')).includes(') Z'));
  assert.equal(process.kill(pid, 0), true);
  assert.equal(isAlive(pid), false);
});
