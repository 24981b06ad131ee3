/** Writes to a JSONL sink until it is killed, and tells its parent what was acknowledged: `node write-until-killed.js FOLDER RUN`. */
import { createJsonlSink } from '#embatch/sinks/jsonl/sink.js';
import { aRow, infoFor, recordingLog } from '../../../conformance/sink-rows.js';

const [folder = '', run = ''] = process.argv.slice(2);
const sink = createJsonlSink(
  `jsonl:${folder}`,
  {},
  { log: recordingLog(), run, shard: { index: 0, count: 1 } },
);
await sink.prepare(infoFor(8));
for (let n = 0; ; n += 50) {
  await sink.write(Array.from({ length: 50 }, (_, i) => aRow(n + i, 8)));
  process.send?.(n + 50);
}
