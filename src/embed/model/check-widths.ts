import { join } from 'node:path';
import { EmbatchError } from '../../core/errors.js';
import { readJson } from './json-file.js';
import type { GraphEncoder, Step, TableEncoder } from './model.js';
import type { Modules } from './modules.js';
import { readTensorList, requireTensor } from './safetensors.js';
import { claimedWidth } from './step-config.js';

/** Follows the width through all steps and checks it against weights and claims. Gives the last one. */
export async function checkWidths(
  encoder: GraphEncoder | TableEncoder,
  steps: readonly Step[],
  modules: Modules,
  folder: string,
): Promise<number> {
  let width = encoder.width;
  for (const file of modules.files.slice(1)) {
    const claimed = claimedWidth(await readJson(folder, file, { optional: true }));
    if (claimed === undefined || (encoder.kind === 'graph' && encoder.pooled) || claimed === width) continue;
    throw new EmbatchError(
      'MODEL',
      `${join(folder, file)} pools vectors of width ${JSON.stringify(claimed)}; the model makes ${width}.`,
    );
  }
  for (const step of steps) {
    if (step.kind === 'pooling') width *= step.modes.length;
    else if (step.kind === 'layer-norm' && step.file !== undefined) {
      const tensors = await readTensorList(step.file);
      for (const name of ['norm.weight', 'norm.bias']) requireTensor(tensors, name, [width], step.file);
    } else if (step.kind === 'dense') {
      if (step.inFeatures !== width) {
        throw new EmbatchError(
          'MODEL',
          `${step.file} takes vectors of ${step.inFeatures}, it would get ${width}.`,
        );
      }
      const tensors = await readTensorList(step.file);
      requireTensor(tensors, 'linear.weight', [step.outFeatures, width], step.file);
      if (step.bias) requireTensor(tensors, 'linear.bias', [step.outFeatures], step.file);
      if (step.residual && step.outFeatures !== width) {
        requireTensor(tensors, 'residual.weight', [step.outFeatures, width], step.file);
      }
      width = step.outFeatures;
    }
  }
  return width;
}
