import { join } from 'node:path';
import { EmbatchError, isEmbatchError } from '../../core/errors.js';
import { readOnnxFile } from '../onnx-file.js';
import type { GraphRequest } from '../graph-choice.js';
import { externalFiles, largeFiles, smallFiles, type RemoteFile } from './choose-files.js';
import { readModelKind } from './model-kind.js';

/**
 * Goes through the files that a model needs, in steps: each step is known only when the files of the former one are
 * there. `need` gets the files of a step; false ends the walk.
 *
 * @param name of the model, for messages
 * @param folder where the files are once `need` has returned
 * Error: MODEL for a model that cannot be run.
 */
export async function walkModel<File extends RemoteFile>(
  {
    name,
    files,
    folder,
  }: { readonly name: string; readonly files: readonly File[]; readonly folder: string },
  request: GraphRequest,
  need: (files: readonly File[], graphReason: string | undefined) => Promise<boolean>,
): Promise<void> {
  if (!(await need(smallFiles(files), undefined))) return;
  const kind = await readModelKind(folder);
  const { files: large, graph } = naming(name, () => largeFiles(files, kind, request));
  if (!(await need(large, graph?.reason)) || graph === undefined) return;
  const external = naming(name, () => {
    const { externalFiles: names } = readOnnxFile(join(folder, ...graph.path.split('/')));
    return externalFiles(files, graph.path, names);
  });
  if (external.length > 0) await need(external, undefined);
}

/** Puts the model's name in front of what is wrong with it. */
function naming<Result>(name: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!isEmbatchError(error, 'MODEL')) throw error;
    throw new EmbatchError('MODEL', `${name}: ${error.message}`, { cause: error });
  }
}
