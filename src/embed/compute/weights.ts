import { EmbatchError } from '../../core/errors.js';
import { readTensorBytes, type StoredTensor } from '../model/safetensors.js';
import { fromFloat16 } from './numbers.js';

/** Reads a tensor of any storage type as float32, into memory that threads can share. Error: MODEL. */
export async function readFloats(file: string, tensor: StoredTensor): Promise<Float32Array> {
  const bytes = await readTensorBytes(file, tensor);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = readers(view)[tensor.type];
  if (read === undefined) {
    throw new EmbatchError('MODEL', `${file} stores weights as ${tensor.type}, which is no type of weights.`);
  }
  const count = tensor.shape.reduce((product, width) => product * width, 1);
  const values = new Float32Array(new SharedArrayBuffer(count * Float32Array.BYTES_PER_ELEMENT));
  for (let index = 0; index < count; index++) values[index] = read(index);
  return values;
}

function readers(view: DataView): Partial<Record<StoredTensor['type'], (index: number) => number>> {
  const bfloat16 = new DataView(new ArrayBuffer(4));
  return {
    F32: (index) => view.getFloat32(index * 4, true),
    F64: (index) => view.getFloat64(index * 8, true),
    F16: (index) => fromFloat16(view.getUint16(index * 2, true)),
    BF16: (index) => {
      bfloat16.setUint16(2, view.getUint16(index * 2, true), true);
      return bfloat16.getFloat32(0, true);
    },
    I8: (index) => view.getInt8(index),
    U8: (index) => view.getUint8(index),
  };
}

/** Reads a tensor of whole numbers. Error: MODEL. */
export async function readIntegers(file: string, tensor: StoredTensor): Promise<Int32Array> {
  const bytes = await readTensorBytes(file, tensor);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [count = 0] = tensor.shape;
  const values = new Int32Array(new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT));
  for (let index = 0; index < count; index++) {
    if (tensor.type === 'I64') values[index] = Number(view.getBigInt64(index * 8, true));
    else if (tensor.type === 'I32') values[index] = view.getInt32(index * 4, true);
    else
      throw new EmbatchError(
        'MODEL',
        `${file} stores row numbers as ${tensor.type}; int32 or int64 is needed.`,
      );
  }
  return values;
}
