/** Uses a LanceDB sink and ends without closing it: `node use-and-end.js FOLDER`. */
import { createLanceDbSink } from '#embatch/sinks/lancedb/sink.js';
import { aRow, infoFor, recordingLog, unitVector } from '../../../conformance/sink-rows.js';

const context = { log: recordingLog(), run: 'r', shard: { index: 0, count: 1 } };
const sink = createLanceDbSink(`lancedb:${process.argv[2] ?? ''}`, {}, context);
await sink.inspect();
await sink.prepare(infoFor(8));
await sink.write(Array.from({ length: 10 }, (_, n) => aRow(n, 8)));
await sink.finish({ lastWriter: true });
await sink.search?.(unitVector(1, 8), 3);
