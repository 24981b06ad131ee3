import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface TestTensor {
  /** F32 without. */
  readonly type?: 'F32' | 'F16' | 'BF16';
  readonly shape: readonly number[];
  /** Row-major. */
  readonly values: readonly number[];
}

/** Writes tensors in the safetensors format: 8 bytes of header length, the header as JSON, the values. */
export async function writeSafetensors(file: string, tensors: Readonly<Record<string, TestTensor>>) {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  const parts: Buffer[] = [];
  let end = 0;
  for (const [name, { type = 'F32', shape, values }] of Object.entries(tensors)) {
    const bytes = encode(type, values);
    header[name] = { dtype: type, shape, data_offsets: [end, end + bytes.length] };
    end += bytes.length;
    parts.push(bytes);
  }
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, safetensors(header, Buffer.concat(parts)));
}

/** A file with any header at all, also one that lies. */
export function safetensors(header: unknown, data: Buffer): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, data]);
}

/** Values must be ones that the type holds exactly. */
function encode(type: 'F32' | 'F16' | 'BF16', values: readonly number[]): Buffer {
  if (type === 'F32') return Buffer.from(Float32Array.from(values).buffer);
  const halves = Uint16Array.from(values, (value) => (type === 'F16' ? float16(value) : bfloat16(value)));
  return Buffer.from(halves.buffer);
}

function float16(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  const fraction = (Math.abs(value) / 2 ** exponent - 1) * 1024;
  if (exponent < -14 || exponent > 15 || !Number.isInteger(fraction)) throw new Error(`${value} is no half`);
  return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | fraction;
}

function bfloat16(value: number): number {
  const bits = new DataView(new ArrayBuffer(4));
  bits.setFloat32(0, value);
  if (bits.getUint16(2) !== 0) throw new Error(`${value} is no bfloat16`);
  return bits.getUint16(0);
}
