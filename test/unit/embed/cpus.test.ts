import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { grantedCpus } from '#embatch/embed/cpus.js';

const files =
  (contents: Readonly<Record<string, string>>) =>
  (file: string): string | undefined =>
    contents[file];
const machine = availableParallelism();

for (const [name, contents, expected] of [
  ['no cgroup', {}, machine],
  ['version 2 without a quota', { '/sys/fs/cgroup/cpu.max': 'max 100000\n' }, machine],
  ['version 2 with half a CPU', { '/sys/fs/cgroup/cpu.max': '50000 100000\n' }, 1],
  ['version 2 with one CPU', { '/sys/fs/cgroup/cpu.max': '100000 100000\n' }, 1],
  ['version 2 with more than there are', { '/sys/fs/cgroup/cpu.max': '99900000 100000\n' }, machine],
  [
    'version 1 without a quota',
    { '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n' },
    machine,
  ],
  [
    'version 1 with one CPU',
    { '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '100000\n', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n' },
    1,
  ],
] as readonly (readonly [string, Record<string, string>, number])[]) {
  test(`with ${name}, ${expected} CPUs are granted`, () => {
    assert.equal(grantedCpus(files(contents)), expected);
  });
}
