import type { JsonValue, Metadata, Row } from '../../core/interfaces.js';
import { joinFields, splitFields, type StoredMetadata } from './flat-fields.js';

/** Field names that the frameworks expect where they open an index that they did not make. */
export const layoutNames = ['langchain', 'langchain-js', 'llamaindex', 'haystack'] as const;
export type LayoutName = (typeof layoutNames)[number];

type Properties = Readonly<Record<string, JsonValue>>;
type Source = Readonly<Record<string, unknown>>;
type StoredRow = Pick<Row, 'text' | 'metadata' | 'embatch'>;

export interface Layout {
  readonly name: LayoutName;
  readonly vectorField: string;
  readonly textField: string;
  /** Fields of the source that facts (core/row-facts.ts) are read from. */
  readonly factFields: readonly string[];
  /** The mapping of everything but the vector. */
  readonly properties: Properties;
  /** What is stored of a row, but for the vector. */
  toSource(row: Row): Source;
  /** The inverse of {@link toSource}; a source of some fields gives a row of as many. */
  fromSource(source: Source): StoredRow;
}

/** Lucene takes terms of 32,766 bytes; a character has at most four. */
const MAX_KEYWORD_LENGTH = 8191;

const plainKeyword = { type: 'keyword', ignore_above: MAX_KEYWORD_LENGTH } as const;
/** LangChain's filters name `metadata.x`, LlamaIndex's `metadata.x.keyword`: both are keywords here. */
const keyword = { ...plainKeyword, fields: { keyword: plainKeyword } };
const number = { type: 'long' } as const;

const metadataProperties: Properties = {
  source: keyword,
  key: keyword,
  etag: keyword,
  last_modified: { type: 'date', ignore_malformed: true, fields: { keyword: plainKeyword } },
  content_type: keyword,
  title: keyword,
  record: keyword,
  chunk: number,
  chunks: number,
  start: number,
  end: number,
  heading: keyword,
  // One field for any number of names: a mapping per name would grow without bound.
  fields: { type: 'flat_object' },
};

const embatchProperties: JsonValue = {
  dynamic: false,
  properties: {
    id: plainKeyword,
    object: plainKeyword,
    version: plainKeyword,
    fingerprint: plainKeyword,
    // Only where the service chooses `_id` (rows-by-field.ts).
    written: plainKeyword,
  },
};

/** When the copy was written, where that is stored beside a row's own marks. */
export interface StoredMarks {
  readonly embatch: Row['embatch'] & { readonly written?: string };
}

function ownMarks({ embatch }: StoredMarks): Row['embatch'] {
  const { id, object, version, fingerprint } = embatch;
  return { id, object, version, fingerprint };
}

const factNames = ['source', 'record', 'chunk', 'chunks'] as const;

function storedMetadata({ fields, ...rest }: Metadata): Source {
  return fields === undefined ? rest : { ...rest, ...splitFields(fields) };
}

/** Text at the top, metadata as an object: LangChain's two, and with additions LlamaIndex's. */
function nestedLayout(
  name: LayoutName,
  vectorField: string,
  textField: string,
  additions: { readonly properties: Properties; of(row: Row): Source } = { properties: {}, of: () => ({}) },
): Layout {
  return {
    name,
    vectorField,
    textField,
    factFields: [...factNames.map((field) => `metadata.${field}`), 'embatch'],
    properties: {
      [textField]: { type: 'text' },
      metadata: { dynamic: false, properties: { ...metadataProperties, ...additions.properties } },
      embatch: embatchProperties,
    },
    toSource: (row) => ({
      [textField]: row.text,
      metadata: { ...storedMetadata(row.metadata), ...additions.of(row) },
      embatch: row.embatch,
    }),
    fromSource(source) {
      const metadata = { ...(source['metadata'] as Source) };
      for (const added of Object.keys(additions.properties)) Reflect.deleteProperty(metadata, added);
      return {
        text: source[textField] as string,
        metadata: joinFields(metadata as StoredMetadata),
        // Written by us: open-index.ts has told the index apart from others.
        embatch: ownMarks(source as unknown as StoredMarks),
      };
    },
  };
}

/** LlamaIndex rebuilds a node from `_node_content` alone, and deletes by `metadata.doc_id.keyword`. */
const llamaIndexNode = {
  properties: {
    _node_content: { type: 'keyword', index: false, doc_values: false },
    _node_type: keyword,
    doc_id: keyword,
    document_id: keyword,
    ref_doc_id: keyword,
  },
  of({ id, metadata }: Row): Source {
    const { source, record } = metadata;
    const documentId = record === undefined ? source : `${source}#${record}`;
    const node = {
      id_: id,
      embedding: null,
      metadata,
      excluded_embed_metadata_keys: [],
      excluded_llm_metadata_keys: [],
      // Relationship 1 is the source, node type 4 a document (llama_index.core.schema).
      relationships: {
        '1': { node_id: documentId, node_type: '4', metadata: {}, hash: null, class_name: 'RelatedNodeInfo' },
      },
      text: '',
      mimetype: 'text/plain',
      start_char_idx: metadata.start,
      end_char_idx: metadata.end,
      class_name: 'TextNode',
    };
    return {
      _node_content: JSON.stringify(node),
      _node_type: 'TextNode',
      doc_id: documentId,
      document_id: documentId,
      ref_doc_id: documentId,
    };
  },
};

/** Haystack's metadata lies flat beside its own names; what it does not know becomes `meta`. */
const haystack: Layout = {
  name: 'haystack',
  vectorField: 'embedding',
  textField: 'content',
  factFields: [...factNames, 'embatch'],
  properties: {
    id: plainKeyword,
    content: { type: 'text' },
    ...metadataProperties,
    embatch: embatchProperties,
  },
  toSource: (row) => ({
    id: row.id,
    content: row.text,
    ...storedMetadata(row.metadata),
    embatch: row.embatch,
  }),
  fromSource({ id: _id, content, embedding: _embedding, embatch, ...metadata }) {
    return {
      text: content as string,
      metadata: joinFields(metadata as StoredMetadata),
      embatch: ownMarks({ embatch } as StoredMarks),
    };
  },
};

export const layouts: Readonly<Record<LayoutName, Layout>> = {
  langchain: nestedLayout('langchain', 'vector_field', 'text'),
  'langchain-js': nestedLayout('langchain-js', 'embedding', 'text'),
  llamaindex: nestedLayout('llamaindex', 'embedding', 'content', llamaIndexNode),
  haystack,
};

export function isLayoutName(value: unknown): value is LayoutName {
  return (layoutNames as readonly unknown[]).includes(value);
}
