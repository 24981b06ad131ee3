import { EmbatchError } from '../../core/errors.js';
import type { TableEncoder } from '../model/model.js';
import { readTensorList, requireTensor } from '../model/safetensors.js';
import type { BatchEncoder } from './encoder.js';
import { readFloats, readIntegers } from './weights.js';

/** Averages the rows of a table. Error: MODEL. */
export async function createTableEncoder(model: TableEncoder): Promise<BatchEncoder> {
  const { file, width } = model;
  const tensors = await readTensorList(file);
  const table = await readFloats(file, requireTensor(tensors, model.vectors, [undefined, width], file));
  const rows = table.length / width;
  const factors =
    model.weights === undefined
      ? undefined
      : await readFloats(file, requireTensor(tensors, model.weights, [undefined], file));
  const mapping =
    model.mapping === undefined
      ? undefined
      : await readIntegers(file, requireTensor(tensors, model.mapping, [undefined], file));

  const rowOf = (id: number): number => {
    const row = mapping === undefined ? id : mapping[id];
    if (row !== undefined && row >= 0 && row < rows) return row;
    throw new EmbatchError(
      'MODEL',
      `${file} has no row for token ${id}: it has ${rows} rows${mapping === undefined ? '' : ` for ${mapping.length} tokens`}. ` +
        'Table and tokenizer belong to different models.',
    );
  };

  const embed = (ids: Int32Array): Float32Array => {
    const sum = new Float64Array(width);
    for (const id of ids) {
      const start = rowOf(id) * width;
      const factor = factors?.[id] ?? 1;
      for (let i = 0; i < width; i++) sum[i] = (sum[i] as number) + factor * (table[start + i] as number);
    }
    return Float32Array.from(sum, (value) => value / ids.length);
  };
  // The prompt counts: it is part of the text, and nothing is pooled that could leave it out.
  return { encode: (inputs) => Promise.resolve(inputs.map(embed)) };
}
