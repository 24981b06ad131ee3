import type { IndexInfo } from '../../core/interfaces.js';
import type { Layout } from './layouts.js';

export const engines = ['lucene', 'faiss'] as const;
export type Engine = (typeof engines)[number];

export interface IndexSettings {
  readonly engine: Engine;
  readonly m: number;
  readonly efConstruction: number;
  readonly shards: number | undefined;
  readonly replicas: number | undefined;
}

/** Without it, k-NN 3.x rebuilds vectors on reading, and faiss gives back normalised ones. Unknown before 2.19. */
export const DERIVED_SOURCE_SETTING = 'index.knn.derived_source.enabled';

/** The body that creates an index: HNSW, cosine, explicit fields, nothing dynamic (docs/design.md §8). */
export function indexBody(
  info: IndexInfo,
  layout: Layout,
  settings: IndexSettings,
  { derivedSourceKnown }: { readonly derivedSourceKnown: boolean },
): object {
  return {
    settings: {
      'index.knn': true,
      ...(derivedSourceKnown ? { [DERIVED_SOURCE_SETTING]: false } : {}),
      ...(settings.shards === undefined ? {} : { 'index.number_of_shards': settings.shards }),
      ...(settings.replicas === undefined ? {} : { 'index.number_of_replicas': settings.replicas }),
    },
    mappings: {
      dynamic: false,
      _meta: { embatch: { ...info, layout: layout.name } },
      properties: {
        ...layout.properties,
        [layout.vectorField]: {
          type: 'knn_vector',
          dimension: info.dimensions,
          method: {
            name: 'hnsw',
            engine: settings.engine,
            space_type: 'cosinesimil',
            parameters: { m: settings.m, ef_construction: settings.efConstruction },
          },
        },
      },
    },
  };
}
