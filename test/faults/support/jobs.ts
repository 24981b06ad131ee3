/** The same job into either sink, with rows read by other means. */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { deleteIndex } from '../../support/opensearch.js';
import { openSearchUrl, skipWithoutOpenSearch } from '../../support/services.js';
import { tempFolder } from '../../support/temp-folder.js';
import { lanceDbRows, openSearchRows, type StoredRow } from './index-check.js';

export interface TestSink {
  readonly uri: string;
  readonly rows: () => Promise<StoredRow[]>;
}

export interface SinkKind {
  readonly name: string;
  readonly skip: string | false;
  /** A new one, removed after the test. */
  readonly open: (t: TestContext, index: string) => Promise<TestSink>;
}

export const sinkKinds: readonly SinkKind[] = [
  {
    name: 'OpenSearch',
    skip: skipWithoutOpenSearch,
    open(t, index) {
      t.after(() => deleteIndex(openSearchUrl(), index));
      const uri = `${openSearchUrl().replace('http:', 'opensearch+http:')}/${index}`;
      return Promise.resolve({ uri, rows: () => openSearchRows(openSearchUrl(), index) });
    },
  },
  {
    name: 'LanceDB',
    skip: false,
    async open(t) {
      const folder = join(await tempFolder(t), 'vectors');
      return { uri: `lancedb:${folder}`, rows: () => lanceDbRows(folder) };
    },
  },
];
