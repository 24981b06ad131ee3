import { choice, flag, integer, size, text, type OptionSpec } from '../option-kinds.js';
import { plan, recipe, run, runs } from './commands.js';

const MIB = 2 ** 20;

/** How documents and chunks are cut out of it: the text half of the recipe, and its limits. */
export const textOptions = {
  textField: text({
    group: 'Documents',
    commands: recipe,
    value: '<field>',
    describe: 'Field of JSON, JSONL and CSV records that holds the text; dots reach into objects.',
  }),
  idField: text({
    group: 'Documents',
    commands: run,
    value: '<field>',
    describe: 'Field that names a record for good, so that records may move within their object.',
  }),
  titleField: text({
    group: 'Documents',
    commands: recipe,
    value: '<field>',
    describe: 'Field of a record that holds its title.',
  }),
  maxDocumentBytes: size({
    group: 'Documents',
    commands: run,
    min: 1,
    default: 16 * MIB,
    describe: 'Largest document that is read, decompressed; larger ones become dead letters.',
  }),

  chunker: choice({
    group: 'Chunks',
    commands: recipe,
    names: ['recursive', 'none'],
    default: 'recursive',
    describe: 'How documents are cut: at headings, paragraphs, sentences and words, or not at all.',
  }),
  chunkTokens: integer({
    group: 'Chunks',
    commands: recipe,
    min: 16,
    describe:
      "Longest chunk in the model's own tokens, special and prompt tokens included; by default what the model takes, but not more than 256.",
  }),
  chunkOverlap: integer({
    group: 'Chunks',
    commands: recipe,
    min: 0,
    default: 0,
    describe: 'Tokens that a chunk repeats from the one before it.',
  }),
  overflow: choice({
    group: 'Chunks',
    commands: recipe,
    names: ['split', 'truncate', 'fail'],
    default: 'split',
    describe: 'What becomes of text longer than the model takes where --chunker none leaves it whole.',
  }),
  documentTemplate: text({
    group: 'Chunks',
    commands: recipe,
    value: '<template>',
    default: '{text}',
    describe: "What is embedded: {text} with {title}, {heading} and the record's own {fields}.",
  }),
  refreshText: flag({
    group: 'Chunks',
    commands: [...runs, ...plan],
    describe: 'Embed again what an earlier run has cut with other chunk options.',
  }),
} satisfies Record<string, OptionSpec>;
