import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createJsonlSink } from '#embatch/sinks/jsonl/sink.js';
import { describeSink } from '../../conformance/sink-conformance.js';
import { recordingLog } from '../../conformance/sink-rows.js';

describeSink({
  name: 'jsonl',
  createPlace: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'embatch-jsonl-'));
    const place = join(folder, 'out');
    let runs = 0;
    return {
      open: (shard = { index: 0, count: 1 }) => {
        const run = `20261121t100000z-${String(runs++).padStart(4, '0')}`;
        return createJsonlSink(`jsonl:${place}`, {}, { log: recordingLog(), run, shard });
      },
      makeForeign: async () => {
        await mkdir(place);
        await writeFile(join(place, 'theirs.jsonl'), '{"id":1}\n');
      },
      remove: () => rm(folder, { recursive: true, force: true }),
    };
  },
});
