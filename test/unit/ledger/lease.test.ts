import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openState } from '#embatch/ledger/open-state.js';
import { describeLeases } from '../../conformance/lease-cases.js';

describeLeases({
  name: 'folder',
  createPlace: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'embatch-lease-'));
    return {
      open: () => openState(join(folder, '.embatch')),
      remove: () => rm(folder, { recursive: true, force: true }),
    };
  },
});
