import { layoutNames } from '#embatch/sinks/opensearch/layouts.js';
import { createOpenSearchSink } from '#embatch/sinks/opensearch/sink.js';
import { describeSink } from '../../conformance/sink-conformance.js';
import { recordingLog } from '../../conformance/sink-rows.js';
import { openSearchUrl, skipWithoutOpenSearch } from '../../support/services.js';
import { makeForeignIndex, removeIndices, sinkUri } from './opensearch-support.js';

let places = 0;

for (const layout of layoutNames) {
  describeSink({
    name: `opensearch, layout ${layout}`,
    skip: skipWithoutOpenSearch === false ? undefined : skipWithoutOpenSearch,
    createPlace: () => {
      const index = `conformance-${process.pid}-${layout}-${places++}`;
      return Promise.resolve({
        open: () =>
          createOpenSearchSink(sinkUri(openSearchUrl(), index), { layout }, { log: recordingLog() }),
        makeForeign: () => makeForeignIndex(openSearchUrl(), index),
        remove: () => removeIndices(openSearchUrl(), index),
      });
    },
  });
}
