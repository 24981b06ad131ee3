import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cpuQuantity, memoryQuantity } from '#embatch/engines/kubernetes/quantities.js';

describe('sizes as Kubernetes writes them', () => {
  for (const [size, quantity] of [
    ['4GiB', '4Gi'],
    ['4Gi', '4Gi'],
    ['1.5GiB', '1.5Gi'],
    ['512MB', '512M'],
    ['512M', '512M'],
    ['200000KB', '200000k'],
    ['1TiB', '1Ti'],
    [' 4 GiB ', '4Gi'],
    ['4294967296', '4294967296'],
  ] as const) {
    test(`${size} is ${quantity}`, () => assert.equal(memoryQuantity(size), quantity));
  }

  for (const size of ['', 'lots', '4 gigs', '4gib', '4m', '4Gi4', '-4GiB', '4E', '1e9']) {
    test(`"${size}" is no size`, () => {
      assert.throws(() => memoryQuantity(size), {
        code: 'USAGE',
        message: `--memory ${size} is no size; write one such as 4GiB or 4Gi.`,
      });
    });
  }

  for (const size of ['4', '64MiB', '0GiB', '4k']) {
    test(`${size} is too little`, () => assert.throws(() => memoryQuantity(size), { code: 'USAGE' }));
  }
});

describe('CPUs as Kubernetes writes them', () => {
  for (const cpus of ['4', '0.5', '500m', '1.125']) {
    test(`${cpus} stays as it is`, () => assert.equal(cpuQuantity(` ${cpus} `), cpus));
  }

  for (const cpus of ['0', '0m', '-1', '4 cores', '1.2345', '0.5m', '', '1e3', 'all']) {
    test(`"${cpus}" is no number of CPUs`, () => {
      assert.throws(() => cpuQuantity(cpus), {
        code: 'USAGE',
        message: `--cpu ${cpus} is no number of CPUs; write one such as 4, 0.5 or 500m.`,
      });
    });
  }
});
