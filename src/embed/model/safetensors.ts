import { access, open, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EmbatchError, describeError, systemErrorCode } from '../../core/errors.js';
import { refuseStandIn, STAND_IN_BYTES } from '../stand-in.js';

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
 * Reads the header of a safetensors file and checks it against the file: every tensor lies within it, shares no byte
 * with another one, and has as many as its shape says. Format: github.com/huggingface/safetensors. Error: MODEL.
 */
export async function readTensorList(file: string): Promise<ReadonlyMap<string, StoredTensor>> {
  return withFile(file, async (handle) => {
    const { size } = await handle.stat();
    const refuse: Refuse = (what) =>
      new EmbatchError('MODEL', `${file} is not a whole safetensors file: ${what}. Fetch it again.`);
    const start = await readBytes(handle, 0, Math.min(size, STAND_IN_BYTES));
    refuseStandIn(file, start.toString('latin1'));
    if (size < 8) throw refuse(`it has ${size} bytes`);
    const length = Number(start.readBigUInt64LE(0));
    if (length > Math.min(MAX_HEADER_BYTES, size - 8)) {
      throw refuse(`its header claims ${length} bytes, the file has ${size}`);
    }
    const header = parseHeader((await readBytes(handle, 8, length)).toString('utf8'), refuse);
    const tensors = new Map<string, StoredTensor>();
    let last = { name: 'the header', end: 8 + length };
    const entries = Object.entries(header)
      .filter(([name]) => name !== '__metadata__')
      .map(([name, entry]) => ({ name, ...parseTensor(name, entry, 8 + length, refuse) }))
      .sort((a, b) => a.start - b.start || a.end - b.end);
    for (const { name, type, shape, start, end } of entries) {
      if (end > size) throw refuse(`${name} ends at byte ${end}, the file has ${size}`);
      if (start < last.end) throw refuse(`${name} begins at byte ${start}, before ${last.name} ends`);
      last = { name, end };
      const bytes = (numberBytes as Record<string, number | undefined>)[type];
      // A type we cannot read only matters if the tensor is one that we need.
      if (bytes === undefined) continue;
      const wanted = shape.reduce((product, width) => product * width, bytes);
      if (end - start !== wanted) {
        throw refuse(
          `${name} has ${end - start} bytes, its shape [${shape.join(', ')}] in ${type} takes ${wanted}`,
        );
      }
      tensors.set(name, { type: type as StoredType, shape, start, end });
    }
    return tensors;
  });
}

type Refuse = (what: string) => EmbatchError;

function parseHeader(text: string, refuse: Refuse): Readonly<Record<string, unknown>> {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    throw refuse(`its header is not JSON (${describeError(error)})`);
  }
  if (typeof header === 'object' && header !== null && !Array.isArray(header)) {
    return header as Readonly<Record<string, unknown>>;
  }
  throw refuse('its header is not a JSON object');
}

/** @param data position of the first byte after the header */
function parseTensor(
  name: string,
  entry: unknown,
  data: number,
  refuse: Refuse,
): { type: string; shape: number[]; start: number; end: number } {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof dtype !== 'string' || !areSizes(shape) || !areSizes(offsets)) {
    throw refuse(`${name} is described as ${JSON.stringify(entry)}`);
  }
  const [begin, end] = offsets;
  if (begin === undefined || end === undefined || end < begin) {
    throw refuse(`${name} has the offsets ${JSON.stringify(offsets)}`);
  }
  return { type: dtype, shape, start: data + begin, end: data + end };
}

function areSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && (size as number) >= 0);
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
    if (systemErrorCode(error) === 'ENOENT') await refusePickle(file);
    throw new EmbatchError('MODEL', `${file} cannot be read: ${describeError(error)}`, { cause: error });
  } finally {
    await handle?.close();
  }
}

/** Older models have their weights as pickles, which are programs: whoever reads one runs it. */
async function refusePickle(file: string): Promise<void> {
  const pickle = join(dirname(file), 'pytorch_model.bin');
  if (
    !(await access(pickle).then(
      () => true,
      () => false,
    ))
  )
    return;
  throw new EmbatchError(
    'MODEL',
    `${dirname(file)} has its weights only as pytorch_model.bin, which can run any code when it is read. Load the model ` +
      'with sentence-transformers and save it with save_pretrained(folder): that writes model.safetensors.',
  );
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
