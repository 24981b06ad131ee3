import { posix } from 'node:path';
import { compareUtf8 } from '../../core/bytes-order.js';
import { EmbatchError } from '../../core/errors.js';
import { cpuFeatures } from '../cpu-features.js';
import { chooseGraph, graphPlaces, isTextGraph, type GraphRequest } from '../graph-choice.js';
import type { ModelKind } from './model-kind.js';

/** A file of a model, wherever it is kept. */
export interface RemoteFile {
  /** Relative, with `/`. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

export interface LargeFiles<File> {
  readonly files: readonly File[];
  /** The graph among them, and why it was chosen. */
  readonly graph: { readonly path: string; readonly reason: string } | undefined;
}

/** Vocabularies are some MB; what is called `*.model` and larger is something else. */
const MAX_VOCABULARY_BYTES = 64 * 10 ** 6;
const WEIGHTS = 'model.safetensors';

/** Files at the root that say what the model is: configurations, tokenizer, licence. */
export function smallFiles<File extends RemoteFile>(files: readonly File[]): File[] {
  return files.filter(({ path, size }) => !path.includes('/') && isSmall(path, size));
}

/** The files of module folders, and the one graph or the table of the encoder. Error: MODEL. */
export function largeFiles<File extends RemoteFile>(
  files: readonly File[],
  { modules, encoderFolder, isStatic }: ModelKind,
  request: GraphRequest,
): LargeFiles<File> {
  const ofModules = files.filter(({ path, size }) => {
    const module = modules.find(({ folder }) => folder !== '' && folder === posix.dirname(path));
    if (module === undefined) return false;
    // The weights of the network itself are in the graph.
    return isSmall(path, size) || (posix.basename(path) === WEIGHTS && module.type !== 'Transformer');
  });
  if (isStatic) {
    const table = posix.join(encoderFolder, WEIGHTS);
    return { files: unique([...ofModules, ...files.filter(({ path }) => path === table)]), graph: undefined };
  }
  const { file, reason } = chooseGraph(graphPaths(files, encoderFolder), request, cpuFeatures());
  return {
    files: unique([...ofModules, ...files.filter(({ path }) => path === file)]),
    graph: { path: file, reason },
  };
}

/** The files that a graph names as those of its weights, relative to its own folder. Error: MODEL. */
export function externalFiles<File extends RemoteFile>(
  files: readonly File[],
  graph: string,
  names: readonly string[],
): File[] {
  return names.map((name) => {
    const path = posix.join(posix.dirname(graph), name);
    const file = files.find((candidate) => candidate.path === path);
    if (file !== undefined) return file;
    throw new EmbatchError(
      'MODEL',
      `${graph} keeps weights in a file ${JSON.stringify(name)}, which the model does not have. It cannot be run.`,
    );
  });
}

/** The graphs that may be the encoder, the best places first. */
function graphPaths(files: readonly RemoteFile[], encoderFolder: string): string[] {
  return graphPlaces(encoderFolder).flatMap((place) =>
    files
      .map(({ path }) => path)
      .filter((path) => posix.dirname(path) === place && isTextGraph(posix.basename(path)))
      .sort(compareUtf8),
  );
}

function isSmall(path: string, size: number): boolean {
  const name = posix.basename(path);
  if (name.endsWith('.index.json')) return false;
  if (/\.json$|^(vocab|merges)\.txt$|^reference\.jsonl$/.test(name)) return true;
  if (/^(README|LICEN[CS]E|NOTICE|COPYING)([.-].*)?$/i.test(name)) return true;
  return /\.(model|vocab)$/.test(name) && size <= MAX_VOCABULARY_BYTES;
}

function unique<File extends RemoteFile>(files: readonly File[]): File[] {
  return [...new Set(files)];
}
