import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join, posix } from 'node:path';
import { EmbatchError, describeError, isEmbatchError, systemErrorCode } from '../../core/errors.js';
import { refuseStandInFile } from '../stand-in.js';

/**
 * SHA-256 in hex: of the file where there is one, so that it can be compared with what others publish; else of the
 * names and hashes of all. Error: MODEL.
 */
export async function hashWeights(files: readonly string[]): Promise<string> {
  const hashes = await Promise.all(files.map(hashFile));
  const [only] = hashes;
  if (only !== undefined && hashes.length === 1) return only;
  const all = createHash('sha256');
  for (const [index, file] of files.entries()) all.update(`${basename(file)}\0${hashes[index] ?? ''}\0`);
  return all.digest('hex');
}

async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    await refuseStandInFile(file);
    for await (const bytes of createReadStream(file, { highWaterMark: 2 ** 20 }))
      hash.update(bytes as Buffer);
  } catch (error) {
    if (isEmbatchError(error)) throw error;
    throw new EmbatchError(
      'MODEL',
      `${file} cannot be read (${describeError(error)}): the model needs it. Fetch or export the model again.`,
      { cause: error },
    );
  }
  return hash.digest('hex');
}

/** sentence-transformers' own settings of an encoder; the file has had a name for each family. The first found counts. */
export const sentenceBertNames = [
  'sentence_bert_config.json',
  'sentence_roberta_config.json',
  'sentence_distilbert_config.json',
  'sentence_camembert_config.json',
  'sentence_albert_config.json',
  'sentence_xlm-roberta_config.json',
  'sentence_xlnet_config.json',
] as const;

/** Files whose content decides vectors, beside weights and tokenizer. */
const rootFiles = ['config_sentence_transformers.json'];
const encoderFiles = [
  'config.json',
  ...sentenceBertNames,
  'tokenizer_config.json',
  'special_tokens_map.json',
];

/** SHA-256 in hex of the configuration files that are there. */
export async function hashConfigs(
  folder: string,
  modulePath: string,
  moduleFiles: readonly string[],
): Promise<string> {
  const hash = createHash('sha256');
  const names = [...rootFiles, ...encoderFiles.map((name) => posix.join(modulePath, name)), ...moduleFiles];
  for (const name of names) {
    const content = await readIfThere(join(folder, name));
    // Named and measured, so that no two sets of files have one hash; an absent file counts as absent.
    if (content !== undefined) hash.update(`${name}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return undefined;
    throw new EmbatchError('MODEL', `${file} cannot be read: ${describeError(error)}`, { cause: error });
  }
}
