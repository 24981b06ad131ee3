import { EmbatchError } from '../../core/errors.js';
import type { TableEncoder } from '../model/model.js';
import { readTensorList, requireTensor, type StoredTensor } from '../model/safetensors.js';
import type { BatchEncoder } from './encoder.js';
import { readFloats, readIntegers } from './weights.js';

/** A static model's numbers, in memory that all worker threads share: the largest take half a gigabyte. */
export interface Table {
  /** [rows, width], row-major. */
  readonly vectors: Float32Array;
  /** One factor per token id. */
  readonly factors: Float32Array | undefined;
  /** The row of each token id. */
  readonly mapping: Int32Array | undefined;
}

/** Error: MODEL. */
export async function loadTable({ file, width, ...names }: TableEncoder): Promise<Table> {
  const tensors = await readTensorList(file);
  const load = <Values>(
    name: string | undefined,
    shape: readonly (number | undefined)[],
    read: (file: string, tensor: StoredTensor) => Promise<Values>,
  ): Promise<Values> | undefined =>
    name === undefined ? undefined : read(file, requireTensor(tensors, name, shape, file));
  return {
    vectors: await readFloats(file, requireTensor(tensors, names.vectors, [undefined, width], file)),
    factors: await load(names.weights, [undefined], readFloats),
    mapping: await load(names.mapping, [undefined], readIntegers),
  };
}

/** Averages the rows of a table. */
export function createTableEncoder({ file, width }: TableEncoder, table: Table): BatchEncoder {
  const { vectors, factors, mapping } = table;
  const rows = vectors.length / width;

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
      for (let i = 0; i < width; i++) sum[i] = (sum[i] as number) + factor * (vectors[start + i] as number);
    }
    return Float32Array.from(sum, (value) => value / ids.length);
  };
  // The prompt counts: it is part of the text, and nothing is pooled that could leave it out.
  return { encode: (inputs) => Promise.resolve(inputs.map(embed)) };
}
