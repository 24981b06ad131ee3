import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@lancedb/lancedb';
import { createLanceDbSink } from '#embatch/sinks/lancedb/sink.js';
import { describeSink } from '../../conformance/sink-conformance.js';
import { recordingLog } from '../../conformance/sink-rows.js';

describeSink({
  name: 'lancedb',
  createPlace: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'embatch-lancedb-'));
    const place = join(folder, 'vectors');
    return {
      open: (shard = { index: 0, count: 1 }) =>
        createLanceDbSink(`lancedb:${place}`, {}, { log: recordingLog(), run: 'r', shard }),
      makeForeign: async () => {
        const connection = await connect(place);
        await connection.createTable('chunks', [{ id: 'theirs', vector: [1, 2, 3] }]);
        connection.close();
      },
      remove: () => rm(folder, { recursive: true, force: true }),
    };
  },
});
