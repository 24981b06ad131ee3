import { createMemorySink } from '#embatch/sinks/memory.js';
import { describeSink } from '../../conformance/sink-conformance.js';
import { recordingLog } from '../../conformance/sink-rows.js';

let places = 0;

describeSink({
  name: 'memory',
  createPlace: () => {
    const uri = `memory:${places++}`;
    return Promise.resolve({
      open: (shard = { index: 0, count: 1 }) =>
        createMemorySink(uri, {}, { log: recordingLog(), run: 'r', shard }),
      remove: () => Promise.resolve(),
    });
  },
});
