import { open, type FileHandle } from 'node:fs/promises';
import { EmbatchError, describeError } from '../../core/errors.js';

/** Storage types of tensors that are read, with the bytes of one number. */
const numberBytes = { F32: 4, F16: 2, BF16: 2, F64: 8, I8: 1, U8: 1, I32: 4, I64: 8 } as const;
type StoredType = keyof typeof numberBytes;

export interface StoredTensor {
  readonly type: StoredType;
  readonly shape: readonly number[];
  /** Position of the first byte in the file. */
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** A header larger than this is a lie: real ones take some hundred bytes a tensor. */
const MAX_HEADER_BYTES = 100 * 2 ** 20;

/**
 * Reads the header of a safetensors file and checks it against the file: every tensor lies within it and has as
 * many bytes as its shape says. Format: github.com/huggingface/safetensors. Error: MODEL.
 */
export async function readTensorList(file: string): Promise<ReadonlyMap<string, StoredTensor>> {
  return withFile(file, async (handle) => {
    const { size } = await handle.stat();
    const refuse = (what: string): EmbatchError =>
      new EmbatchError('MODEL', `${file} is not a whole safetensors file: ${what}. Fetch it again.`);
    if (size < 8) throw refuse(`it has ${size} bytes`);
    const length = Number((await readBytes(handle, 0, 8)).readBigUInt64LE(0));
    if (length > Math.min(MAX_HEADER_BYTES, size - 8)) {
      throw refuse(`its header claims ${length} bytes, the file has ${size}`);
    }
    const text = (await readBytes(handle, 8, length)).toString('utf8');
    let header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
    try {
      header = JSON.parse(text) as typeof header;
    } catch (error) {
      throw refuse(`its header is not JSON (${describeError(error)})`);
    }
    const tensors = new Map<string, StoredTensor>();
    for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(header)) {
      if (name === '__metadata__') continue;
      const bytes = (numberBytes as Record<string, number | undefined>)[dtype];
      // A type we cannot read only matters if the tensor is one that we need.
      if (bytes === undefined) continue;
      const [begin, finish] = offsets;
      const start = 8 + length + begin;
      const end = 8 + length + finish;
      if (end > size) throw refuse(`${name} ends at byte ${end}, the file has ${size}`);
      const wanted = shape.reduce((product, width) => product * width, bytes);
      if (end - start !== wanted) {
        throw refuse(
          `${name} has ${end - start} bytes, its shape [${shape.join(', ')}] in ${dtype} takes ${wanted}`,
        );
      }
      tensors.set(name, { type: dtype as StoredType, shape, start, end });
    }
    return tensors;
  });
}

/** The tensor of that name and shape (undefined: any width). Error: MODEL with the name and what is there. */
export function requireTensor(
  tensors: ReadonlyMap<string, StoredTensor>,
  name: string,
  shape: readonly (number | undefined)[],
  file: string,
): StoredTensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) {
    throw new EmbatchError(
      'MODEL',
      `${file} has no tensor ${name}; it has ${[...tensors.keys()].slice(0, 10).join(', ') || 'none that can be read'}.`,
    );
  }
  const fits =
    tensor.shape.length === shape.length &&
    shape.every((width, axis) => width === undefined || width === tensor.shape[axis]);
  if (fits) return tensor;
  throw new EmbatchError(
    'MODEL',
    `${file}: ${name} has the shape [${tensor.shape.join(', ')}], but the configuration says ` +
      `[${shape.map((width) => width ?? 'any').join(', ')}].`,
  );
}

/** The bytes of a tensor as they are stored. Error: MODEL. */
export async function readTensorBytes(file: string, tensor: StoredTensor): Promise<Buffer<ArrayBuffer>> {
  return withFile(file, (handle) => readBytes(handle, tensor.start, tensor.end - tensor.start));
}

async function withFile<T>(file: string, work: (handle: FileHandle) => Promise<T>): Promise<T> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, 'r');
    return await work(handle);
  } catch (error) {
    if (error instanceof EmbatchError) throw error;
    throw new EmbatchError('MODEL', `${file} cannot be read: ${describeError(error)}`, { cause: error });
  } finally {
    await handle?.close();
  }
}

/** One read call takes at most 2 GiB. */
const READ_BYTES = 2 ** 30;

async function readBytes(handle: FileHandle, start: number, length: number): Promise<Buffer<ArrayBuffer>> {
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(READ_BYTES, length - done), start + done);
    if (bytesRead === 0) throw new Error(`it ends at byte ${start + done}`);
    done += bytesRead;
  }
  return bytes;
}
