import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { EmbatchError } from '../../core/errors.js';
import type { Abortable, Logger } from '../../core/interfaces.js';
import type { GraphRequest } from '../graph-choice.js';
import { bundledFolder, bundledModels } from './bundled.js';
import type { PulledModel } from './fetch-model.js';
import { openHubModel, pullHubModel } from './hub-model.js';
import { looksLikeHubId, parseModelRef } from './model-ref.js';
import type { Patience } from './patience.js';
import type { ModelLocation } from '../model/model.js';
import { openS3Model, pullS3Model } from './s3-model.js';

export type { PulledModel } from './fetch-model.js';
export type { ModelLocation } from '../model/model.js';

export interface OpenModelOptions extends Abortable {
  /** Decides which of several ONNX files is fetched. */
  readonly precision: GraphRequest['precision'];
  /** The graph that an index was built with; wins over the precision. */
  readonly graphFile?: string | undefined;
  readonly log: Logger;
  /** Sends unsigned requests to S3, for public buckets. */
  readonly anonymous?: boolean | undefined;
  readonly patience?: Patience | undefined;
}

/**
 * The local folder of a model: bundled, a folder, from the Hugging Face Hub or from S3. What is not there yet is
 * fetched, and said so in the log. Errors: USAGE for a reference that cannot be understood, MODEL.
 */
export async function openModel(ref: string, options: OpenModelOptions): Promise<ModelLocation> {
  const parsed = parseModelRef(ref);
  switch (parsed.kind) {
    case 'hub':
      return await openHubModel(parsed, storeOptions(options));
    case 's3':
      return await openS3Model(parsed, storeOptions(options));
    case 'bundled':
      return { id: parsed.name, revision: null, folder: bundledFolder(parsed.name) };
    case 'folder':
      return await openFolder(parsed.path);
  }
}

/**
 * Brings a model here, whole and checked: asks the hub or the bucket what there is now, fetches what is missing and
 * reads all that is there once. Says what was done. Errors as {@link openModel}.
 */
export async function pullModel(ref: string, options: OpenModelOptions): Promise<PulledModel> {
  const parsed = parseModelRef(ref);
  if (parsed.kind === 'hub') return await pullHubModel(parsed, storeOptions(options));
  if (parsed.kind === 's3') return await pullS3Model(parsed, storeOptions(options));
  return { ...(await openModel(ref, options)), files: [], bytesFetched: 0, bytesReused: 0 };
}

function storeOptions({ precision, graphFile, ...rest }: OpenModelOptions): Omit<
  OpenModelOptions,
  'precision' | 'graphFile'
> & {
  readonly request: GraphRequest;
} {
  return { ...rest, request: { precision, file: graphFile } };
}

async function openFolder(path: string): Promise<ModelLocation> {
  const folder = resolve(path);
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory() === true) return { id: basename(folder), revision: null, folder };
  const hub = looksLikeHubId(path)
    ? ` For the model of that name on the Hugging Face Hub write hf:${path}.`
    : '';
  throw new EmbatchError(
    'MODEL',
    `there is no model ${path}: neither bundled (${bundledModels.join(', ')}) nor a folder at ${folder}.${hub}`,
  );
}
