import type { PoolingMode } from '../compute/pooling.js';

/** What the authors of a model publish on its card and what its folder, or a mirror of it, may have lost. */
export interface KnownModel {
  readonly names: RegExp;
  readonly documentPrompt?: string;
  readonly queryPrompt?: string;
  /** Used where there is no modules.json. */
  readonly pooling?: PoolingMode;
  readonly normalize?: boolean;
  /** Widths that the model was trained to be cut to, or the smallest of all widths that it was. */
  readonly matryoshka?: readonly number[] | { readonly min: number };
  /** Vectors are layer-normalised before they are cut. */
  readonly layerNormBeforeCut?: boolean;
}

const searchPassages = 'Represent this sentence for searching relevant passages: ';
const webSearchTask = 'Instruct: Given a web search query, retrieve relevant passages that answer the query';
const mean = { pooling: 'mean', normalize: true } as const;
const cls = { pooling: 'cls', normalize: true } as const;

/** Source: the model cards, as of November 2026. Names are lower-case and without organisation. */
const knownModels: readonly KnownModel[] = [
  { names: /^all-(minilm-l(6|12)-v[12]|mpnet-base-v[12]|distilroberta-v1)$/, ...mean },
  { names: /^multi-qa-minilm-l6-cos-v1$/, ...mean },
  { names: /^multi-qa-mpnet-base-dot-v1$/, pooling: 'cls', normalize: false },
  { names: /^paraphrase-(multilingual-)?(minilm|mpnet)-.+$/, pooling: 'mean', normalize: false },
  { names: /^bge-(small|base|large)-en(-v1\.5)?$/, ...cls, queryPrompt: searchPassages },
  {
    names: /^bge-(small|base|large)-zh(-v1\.5)?$/,
    ...cls,
    queryPrompt: '为这个句子生成表示以用于检索相关文章：',
  },
  { names: /^bge-m3$/, ...cls },
  {
    names: /^(multilingual-)?e5-(small|base|large)(-v2)?$/,
    ...mean,
    documentPrompt: 'passage: ',
    queryPrompt: 'query: ',
  },
  { names: /^multilingual-e5-large-instruct$/, ...mean, queryPrompt: `${webSearchTask}\nQuery: ` },
  { names: /^gte-(small|base|large)$/, ...mean },
  { names: /^gte-modernbert-base$/, ...cls },
  {
    names: /^nomic-embed-text-v1(-unsupervised)?$/,
    ...mean,
    documentPrompt: 'search_document: ',
    queryPrompt: 'search_query: ',
  },
  {
    names: /^nomic-embed-text-v1\.5$/,
    ...mean,
    documentPrompt: 'search_document: ',
    queryPrompt: 'search_query: ',
    matryoshka: [768, 512, 256, 128, 64],
    layerNormBeforeCut: true,
  },
  {
    names: /^modernbert-embed-base$/,
    ...mean,
    documentPrompt: 'search_document: ',
    queryPrompt: 'search_query: ',
    matryoshka: [768, 256],
  },
  {
    names: /^snowflake-arctic-embed-m-v1\.5$/,
    ...cls,
    queryPrompt: searchPassages,
    matryoshka: [768, 256],
  },
  { names: /^snowflake-arctic-embed-(xs|s|m|l)$/, ...cls, queryPrompt: searchPassages },
  { names: /^snowflake-arctic-embed-m-v2\.0$/, ...cls, queryPrompt: 'query: ', matryoshka: [768, 256] },
  { names: /^snowflake-arctic-embed-l-v2\.0$/, ...cls, queryPrompt: 'query: ', matryoshka: [1024, 256] },
  {
    names: /^mxbai-embed-large-v1$/,
    pooling: 'cls',
    normalize: false,
    queryPrompt: searchPassages,
    matryoshka: [1024, 768, 512, 256, 128],
  },
  { names: /^jina-embeddings-v2-.+$/, ...mean },
  { names: /^jina-embeddings-v3$/, ...mean, matryoshka: [1024, 768, 512, 256, 128, 64, 32] },
  {
    names: /^qwen3-embedding-.+$/,
    pooling: 'lasttoken',
    normalize: true,
    queryPrompt: `${webSearchTask}\nQuery:`,
    matryoshka: { min: 32 },
  },
  {
    names: /^embeddinggemma-300m$/,
    documentPrompt: 'title: none | text: ',
    queryPrompt: 'task: search result | query: ',
    matryoshka: [768, 512, 256, 128],
  },
  {
    names: /^static-(retrieval-mrl-en|similarity-mrl-multilingual)-v1$/,
    matryoshka: [1024, 512, 256, 128, 64, 32],
  },
];

/** Endings that mirrors and conversions add to the name of the model they carry. */
const mirrorEnding = /[-_](onnx|onnx-q|onnx-int8|quantized|int8|fp16|q8)$/;

/**
 * Looks a model up by its base name.
 *
 * @param names candidates such as `org/name`, a folder's name or `_name_or_path`; the first known one wins
 */
export function findKnownModel(names: readonly (string | undefined)[]): KnownModel | undefined {
  for (const name of names) {
    const base = name?.split(/[\\/]/).at(-1)?.toLowerCase();
    if (base === undefined) continue;
    for (const candidate of [base, base.replace(mirrorEnding, '')]) {
      const known = knownModels.find((model) => model.names.test(candidate));
      if (known !== undefined) return known;
    }
  }
  return undefined;
}
