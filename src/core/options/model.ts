import { choice, flag, fraction, integer, prompt, text, type OptionSpec } from '../option-kinds.js';
import { indexing, check, oneModel, run, space, verify } from './commands.js';

/** Best on one thread for MiniLM-class models: the activations of a batch stay near the caches. */
const BATCH_TOKENS = 512;

/** What embeds them: the space half of the recipe, and how it is computed. */
export const modelOptions = {
  model: text({
    group: 'Model',
    commands: [...indexing, ...oneModel],
    value: '<ref>',
    default: 'all-MiniLM-L6-v2',
    describe: 'Bundled model by name, a model folder, hf:org/name@revision or s3://bucket/prefix.',
  }),
  precision: choice({
    group: 'Model',
    commands: [...run, ...oneModel],
    names: ['auto', 'fp32', 'fp16', 'int8', 'uint8', 'q4', 'q4f16', 'bnb4'],
    default: 'auto',
    describe:
      'Which of the ONNX files of the model; auto: the one the index was built with, else the most exact.',
  }),
  dimensions: integer({
    group: 'Model',
    commands: space,
    min: 1,
    describe: 'Cut vectors to this width and normalise them again, for models trained for it (Matryoshka).',
  }),
  forceDimensions: flag({
    group: 'Model',
    commands: space,
    describe: 'Cut vectors even of a model that nothing says was trained for it.',
  }),
  maxTokens: integer({
    group: 'Model',
    commands: space,
    min: 1,
    describe: "Longest input in tokens, special tokens included; by default what the model's files say.",
  }),
  documentPrompt: prompt({
    group: 'Model',
    commands: space,
    describe:
      'Put in front of each chunk before it is tokenised; empty for none, by default what the model says.',
  }),
  queryPrompt: prompt({
    group: 'Model',
    commands: space,
    describe: 'Put in front of each question; empty for none, by default what the model says.',
  }),
  tokenizer: choice({
    group: 'Model',
    commands: [...indexing, ...check],
    names: ['auto', 'native', 'javascript'],
    default: 'auto',
    describe: 'What cuts texts into tokens; auto: native code, or JavaScript where that cannot be loaded.',
  }),
  reference: text({
    group: 'Model',
    commands: check,
    value: '<file>',
    describe: "Reference vectors as a JSON array or lines; by default the model's own reference.jsonl.",
  }),
  minCosine: fraction({
    group: 'Model',
    commands: [...check, ...verify],
    describe:
      'Least cosine to the reference of any text, or of a sampled vector to the one in the index; by default what the precision of the weights can keep to.',
  }),
  batchTokens: integer({
    group: 'Model',
    commands: [...run, ...check],
    min: 1,
    default: BATCH_TOKENS,
    describe: 'Padded tokens in one model call.',
  }),
} satisfies Record<string, OptionSpec>;
