/** Prompts, widths and lengths: what a model's files say, what its card says, and what a caller may say. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findKnownModel } from '#embatch/embed/model/known-models.js';
import { resolveMaxTokens } from '#embatch/embed/model/max-tokens.js';
import type { ModelOptions, Step } from '#embatch/embed/model/model.js';
import { resolvePrompts } from '#embatch/embed/model/prompts.js';
import { resolveWidth } from '#embatch/embed/model/width.js';

// ---- prompts -------------------------------------------------------------------------------------------------------

const file = 'config_sentence_transformers.json, prompt';
const card = "the model's card";
const none = 'none given';
const passages = 'Represent this sentence for searching relevant passages: ';

interface PromptCase {
  readonly name?: string;
  readonly config?: Record<string, unknown>;
  readonly options?: Pick<ModelOptions, 'documentPrompt' | 'queryPrompt'>;
  readonly document: readonly [string, string];
  readonly query: readonly [string, string];
}

const promptCases: Readonly<Record<string, PromptCase>> = {
  'nothing said': { document: ['', none], query: ['', none] },
  'saved prompts': {
    config: { prompts: { query: 'q: ', document: 'd: ' } },
    document: ['d: ', `${file} document`],
    query: ['q: ', `${file} query`],
  },
  'an empty document beside a passage': {
    config: { prompts: { query: '', document: '', passage: 'passage: ' } },
    document: ['passage: ', `${file} passage`],
    query: ['', none],
  },
  'a corpus, and null for a query': {
    config: { prompts: { query: null, corpus: 'c: ' } },
    document: ['c: ', `${file} corpus`],
    query: ['', none],
  },
  'a default prompt for both sides': {
    config: { prompts: { both: 'b: ' }, default_prompt_name: 'both' },
    document: ['b: ', `${file} both`],
    query: ['b: ', `${file} both`],
  },
  'a default prompt for the side that has none of its own': {
    config: { prompts: { both: 'b: ', query: 'q: ' }, default_prompt_name: 'both' },
    document: ['b: ', `${file} both`],
    query: ['q: ', `${file} query`],
  },
  'E5, whose folder lost its prompts': {
    name: 'e5-small-v2',
    document: ['passage: ', card],
    query: ['query: ', card],
  },
  'E5, saved again by a newer version': {
    name: 'intfloat/multilingual-e5-small',
    config: { prompts: { query: '', document: '' } },
    document: ['passage: ', card],
    query: ['query: ', card],
  },
  'BGE from a mirror: documents have none, and that is known': {
    name: '/models/Xenova/bge-small-en-v1.5-onnx',
    document: ['', card],
    query: [passages, card],
  },
  'what a folder says, before what its card says': {
    name: 'e5-small-v2',
    config: { prompts: { query: 'ask: ' } },
    document: ['passage: ', card],
    query: ['ask: ', `${file} query`],
  },
  'what the caller says, before everything': {
    name: 'e5-small-v2',
    config: { prompts: { query: 'ask: ', document: 'd: ' } },
    options: { documentPrompt: 'mine: ', queryPrompt: 'yours: ' },
    document: ['mine: ', '--document-prompt'],
    query: ['yours: ', '--query-prompt'],
  },
  'empty flags, which mean no prompt': {
    name: 'e5-small-v2',
    config: { prompts: { query: 'ask: ' } },
    options: { documentPrompt: '', queryPrompt: '' },
    document: ['', '--document-prompt'],
    query: ['', '--query-prompt'],
  },
  'a name that only looks known': { name: 'my-e5-small-v2-notes', document: ['', none], query: ['', none] },
};

for (const [title, { name, config = {}, options = {}, document, query }] of Object.entries(promptCases)) {
  test(`prompts: ${title}`, () => {
    const resolved = resolvePrompts(config, findKnownModel([name]), options);
    assert.deepEqual([resolved.document.value, resolved.document.origin], document);
    assert.deepEqual([resolved.query.value, resolved.query.origin], query);
    assert.deepEqual(resolved.notices, []);
  });
}

test('prompts of unknown names are not used, and said to be unused', () => {
  const config = { prompts: { 'web search': 'w: ', clustering: 'c: ', query: '' } };
  const { document, query, notices } = resolvePrompts(config, undefined, {});
  assert.deepEqual([document.value, query.value], ['', '']);
  assert.equal(notices.length, 1);
  assert.match(
    notices[0] ?? '',
    /prompts called web search, clustering, .*--document-prompt and --query-prompt/,
  );
  assert.deepEqual(
    resolvePrompts(config, undefined, { queryPrompt: '' }).notices,
    [],
    'the caller has chosen',
  );
});

for (const [config, message] of [
  [
    { prompts: { query: 'q: ' }, default_prompt_name: 'passage' },
    /names "passage" as its default prompt, .*query/,
  ],
  [{ default_prompt_name: 'passage' }, /has only none/],
  [{ default_prompt_name: 7, prompts: { 7: 'x' } }, /names 7 as its default prompt/],
  [{ prompts: { query: ['q: '] } }, /prompt query is \["q: "\], where text belongs/],
  [{ prompts: 'query: ' }, /prompts is "query: ", where text belongs/],
] as const) {
  test(`prompts that contradict themselves are refused: ${JSON.stringify(config)}`, () => {
    assert.throws(() => resolvePrompts(config, undefined, {}), { code: 'MODEL', message });
  });
}

// ---- widths --------------------------------------------------------------------------------------------------------

const normalize: Step = { kind: 'normalize' };
const cut = (dimensions: number): Step[] => [{ kind: 'cut', dimensions }, normalize];
const layerNorm: Step = { kind: 'layer-norm', file: undefined };

interface WidthCase {
  readonly name?: string;
  readonly own: number;
  readonly config?: Record<string, unknown>;
  readonly saved?: unknown;
  readonly wanted?: number;
  readonly force?: boolean;
}

function widthOf({ name, own, config = {}, saved, wanted, force }: WidthCase) {
  const sentenceConfig = saved === undefined ? {} : { truncate_dim: saved };
  return resolveWidth(
    { own, known: findKnownModel([name]), config, sentenceConfig },
    { precision: 'auto', dimensions: wanted, forceDimensions: force },
  );
}

const trained = { matryoshka_dimensions: [256, 128] };
const widths: readonly (readonly [string, WidthCase, number, string, Step[]])[] = [
  ['its own', { own: 384 }, 384, "the model's modules", []],
  ['its own, asked for', { own: 384, wanted: 384 }, 384, '--dimensions', []],
  ['null saved', { own: 384, saved: null }, 384, "the model's modules", []],
  ['saved', { own: 384, saved: 128 }, 128, 'config_sentence_transformers.json, truncate_dim', cut(128)],
  ['saved, and asked for', { own: 384, saved: 128, wanted: 128 }, 128, '--dimensions', cut(128)],
  ['saved, and its own asked for', { own: 384, saved: 128, wanted: 384 }, 384, '--dimensions', []],
  ['trained by config.json', { own: 512, config: trained, wanted: 256 }, 256, '--dimensions', cut(256)],
  [
    'trained by its card',
    { own: 768, name: 'modernbert-embed-base', wanted: 256 },
    256,
    '--dimensions',
    cut(256),
  ],
  [
    'any above the least',
    { own: 1024, name: 'Qwen3-Embedding-0.6B', wanted: 33 },
    33,
    '--dimensions',
    cut(33),
  ],
  [
    'layer-normalised before it is cut',
    { own: 768, name: 'nomic-ai/nomic-embed-text-v1.5', wanted: 64 },
    64,
    '--dimensions',
    [layerNorm, ...cut(64)],
  ],
  ['forced', { own: 384, wanted: 100, force: true }, 100, '--dimensions', cut(100)],
  [
    'forced past what was trained',
    { own: 512, config: trained, wanted: 100, force: true },
    100,
    '--dimensions',
    cut(100),
  ],
];
for (const [title, facts, dimensions, origin, steps] of widths) {
  test(`width: ${title}`, () => {
    assert.deepEqual(widthOf(facts), { dimensions: { value: dimensions, origin }, steps });
  });
}

const refusedWidths: readonly (readonly [string, WidthCase, 'USAGE' | 'MODEL', RegExp])[] = [
  ['more than its own', { own: 384, wanted: 385 }, 'USAGE', /--dimensions 385 is more than the 384/],
  ['more than its own, forced', { own: 384, wanted: 385, force: true }, 'USAGE', /more than the 384/],
  [
    'trained for none',
    { own: 384, wanted: 128 },
    'USAGE',
    /nothing says .*--dimensions 128 .*384.*--force-dimensions/,
  ],
  [
    'trained for others',
    { own: 512, config: trained, wanted: 64 },
    'USAGE',
    /256, 128, not to --dimensions 64/,
  ],
  [
    'config.json before the card',
    { own: 768, name: 'modernbert-embed-base', config: { matryoshka_dimensions: [64] }, wanted: 256 },
    'USAGE',
    /cut to 64, not/,
  ],
  ['below the least', { own: 1024, name: 'qwen3-embedding-0.6b', wanted: 16 }, 'USAGE', /cut to 32 or more/],
  ['saved beyond its own', { own: 384, saved: 768 }, 'MODEL', /truncate_dim 768; the model makes 384/],
  ['saved as a word', { own: 384, saved: '128' }, 'MODEL', /truncate_dim "128"/],
  ['saved as a fraction', { own: 384, saved: 1.5 }, 'MODEL', /truncate_dim 1\.5/],
  ['saved as zero', { own: 384, saved: 0 }, 'MODEL', /truncate_dim 0/],
];
for (const [title, facts, code, message] of refusedWidths) {
  test(`width refused: ${title}`, () => {
    assert.throws(() => widthOf(facts), { code, message });
  });
}

// ---- lengths -------------------------------------------------------------------------------------------------------

interface LengthCase {
  readonly max?: unknown;
  readonly tokenizer?: unknown;
  readonly config?: Record<string, unknown>;
  readonly given?: number;
}

const lengthOf = ({ max, tokenizer, config = {}, given }: LengthCase) =>
  resolveMaxTokens({
    folder: '/m',
    own: { file: 'sentence_bert_config.json', config: max === undefined ? {} : { max_seq_length: max } },
    tokenizerConfig: tokenizer === undefined ? {} : { model_max_length: tokenizer },
    config,
    given,
  });

const bert = { model_type: 'bert', max_position_embeddings: 512 };
const roberta = (more: object = {}) => ({ model_type: 'roberta', max_position_embeddings: 514, ...more });
const rotary = { model_type: 'modernbert', max_position_embeddings: 8192 };
const ofTokenizer = 'tokenizer_config.json, model_max_length';
const ofPositions = 'config.json, positions';
const ofSentenceBert = 'sentence_bert_config.json, max_seq_length';

const lengths: readonly (readonly [string, LengthCase, number, string])[] = [
  ['max_seq_length before all others', { max: 256, tokenizer: 512, config: bert }, 256, ofSentenceBert],
  ['null for max_seq_length', { max: null, tokenizer: 128, config: bert }, 128, ofTokenizer],
  ['the smaller one: the tokenizer', { tokenizer: 128, config: bert }, 128, ofTokenizer],
  ['the smaller one: the positions', { tokenizer: 1024, config: bert }, 512, ofPositions],
  ['a sentinel of 1e30', { tokenizer: 1e30, config: bert }, 512, ofPositions],
  ['a sentinel of 2^63', { tokenizer: 9223372036854775807n.toString(), config: bert }, 512, ofPositions],
  ['a sentinel of ten gigabytes', { tokenizer: 10_737_418_240, config: bert }, 512, ofPositions],
  [
    'a sentinel of positions',
    { tokenizer: 512, config: { ...bert, max_position_embeddings: 1e30 } },
    512,
    ofTokenizer,
  ],
  ['positions after the padding index', { config: roberta() }, 512, ofPositions],
  ['positions after a padding index of 0', { config: roberta({ pad_token_id: 0 }) }, 513, ofPositions],
  [
    'positions of XLM-R',
    { config: roberta({ model_type: 'xlm-roberta', pad_token_id: 1 }) },
    512,
    ofPositions,
  ],
  ['positions of MPNet', { config: roberta({ model_type: 'mpnet', pad_token_id: 1 }) }, 512, ofPositions],
  ['other names for positions', { config: { model_type: 'gpt2', n_positions: 1024 } }, 1024, ofPositions],
  [
    'positions within text_config',
    { config: { text_config: { max_position_embeddings: 77 } } },
    77,
    ofPositions,
  ],
  [
    'more than there are positions',
    { max: 514, config: roberta() },
    512,
    'config.json, positions (sentence_bert_config.json says 514, too many)',
  ],
  ['more than the positions that are computed', { max: 16384, config: rotary }, 16384, ofSentenceBert],
  ['what the caller says', { max: 256, config: bert, given: 300 }, 300, '--max-tokens'],
  ['what the caller says, of any length', { config: rotary, given: 32768 }, 32768, '--max-tokens'],
];
for (const [title, facts, value, origin] of lengths) {
  test(`length: ${title}`, () => {
    assert.deepEqual(lengthOf(facts), { value, origin });
  });
}

const refusedLengths: readonly (readonly [string, LengthCase, 'USAGE' | 'MODEL', RegExp])[] = [
  [
    'more than there are positions',
    { config: bert, given: 513 },
    'USAGE',
    /--max-tokens 513 .*the 512 positions/,
  ],
  [
    'more than RoBERTa has',
    { config: roberta(), given: 513 },
    'USAGE',
    /--max-tokens 513 .*the 512 positions/,
  ],
  [
    'a sentinel of its authors',
    { max: 1e30, config: bert },
    'MODEL',
    /max_seq_length 1e\+30, .*--max-tokens/,
  ],
  ['nothing said', {}, 'MODEL', /^\/m does not say how many tokens the model takes: give --max-tokens/],
  ['only a sentinel', { tokenizer: 1e30 }, 'MODEL', /model_max_length of 1e\+30 means nothing/],
];
for (const [title, facts, code, message] of refusedLengths) {
  test(`length refused: ${title}`, () => {
    assert.throws(() => lengthOf(facts), { code, message });
  });
}
