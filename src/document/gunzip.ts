import { crc32, createInflateRaw, type InflateRaw } from 'node:zlib';
import { formatCount } from '../core/units.js';
import type { ByteInput } from './byte-input.js';

/** What was decompressed before came out; from here on there is nothing to be had. */
export class GzipDamage extends Error {
  override readonly name = 'GzipDamage';
}

export function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

/**
 * Compressed bytes given to zlib at once. Small, because the output of the piece in which the damage lies is
 * lost, and because one piece may grow a thousandfold. Cut at fixed positions of the object: what comes out
 * before a damage is the same in every run.
 */
const PIECE_BYTES = 4 * 1024;
const OUTPUT_BYTES = 64 * 1024;

/**
 * The decompressed bytes of all members of a gzip file. zlib's own Gunzip drops what it has decompressed
 * when the next bytes are damaged, hence the members are taken apart here. Zeros after the last member are
 * padding; anything else there is damage, since it may have been a member.
 * Source: RFC 1952. Throws {@link GzipDamage}.
 */
export async function* gunzip(input: ByteInput): AsyncGenerator<Buffer, void, undefined> {
  let produced = 0;
  const damaged = (what: string): GzipDamage =>
    new GzipDamage(`${what} after ${formatCount(produced)} decompressed bytes`);
  while (isGzip(await input.peek(2))) {
    await skipHeader(input, damaged);
    let checksum = 0;
    let size = 0;
    for await (const bytes of inflate(input, damaged)) {
      checksum = crc32(bytes, checksum);
      size += bytes.length;
      produced += bytes.length;
      yield bytes;
    }
    const trailer = await input.take(8);
    if (trailer.length < 8) throw damaged('truncated gzip data');
    if (trailer.readUInt32LE(0) !== checksum || trailer.readUInt32LE(4) !== size % 2 ** 32) {
      throw damaged('corrupt gzip data (checksum)');
    }
  }
  for (let rest = await input.next(); rest !== undefined; rest = await input.next()) {
    if (rest.some((byte) => byte !== 0)) throw damaged('bytes that are no gzip data');
  }
}

type Damaged = (what: string) => GzipDamage;

async function skipHeader(input: ByteInput, damaged: Damaged): Promise<void> {
  const takeAll = async (length: number): Promise<Buffer> => {
    const bytes = await input.take(length);
    if (bytes.length < length) throw damaged('truncated gzip data');
    return bytes;
  };
  const skipText = async (): Promise<void> => {
    while ((await takeAll(1))[0] !== 0);
  };
  const header = await takeAll(10);
  if (header[2] !== 8) throw damaged('corrupt gzip data (compression method)');
  const flags = header[3] ?? 0;
  if ((flags & 0x04) !== 0) await takeAll((await takeAll(2)).readUInt16LE(0));
  if ((flags & 0x08) !== 0) await skipText();
  if ((flags & 0x10) !== 0) await skipText();
  if ((flags & 0x02) !== 0) await takeAll(2);
}

/** One deflate stream; what of the input lies behind it is put back. */
async function* inflate(input: ByteInput, damaged: Damaged): AsyncGenerator<Buffer, void, undefined> {
  const engine = createInflateRaw({ chunkSize: OUTPUT_BYTES });
  const output: Buffer[] = [];
  engine.on('data', (bytes: Buffer) => output.push(bytes));
  // What `step` hears of is told there; destroying may bring an error that concerns nobody.
  engine.on('error', () => undefined);
  let given = 0;
  try {
    for (;;) {
      const piece = await input.take(PIECE_BYTES);
      given += piece.length;
      const state = await step(engine, piece);
      yield* output.splice(0);
      if (state === 'more') continue;
      if (state === 'ended') {
        input.putBack(piece.subarray(piece.length - (given - engine.bytesWritten)));
        return;
      }
      throw damaged(state.code === 'Z_BUF_ERROR' ? 'truncated gzip data' : 'corrupt gzip data');
    }
  } finally {
    engine.destroy();
  }
}

type ZlibError = Error & { readonly code?: string };

/** Feeds one piece, none meaning the end of the input, and waits until zlib has made of it what it can. */
function step(engine: InflateRaw, piece: Buffer): Promise<'more' | 'ended' | ZlibError> {
  return new Promise((resolve) => {
    const settle = (state: 'more' | 'ended' | ZlibError): void => {
      engine.off('end', onEnd);
      engine.off('error', settle);
      resolve(state);
    };
    const onEnd = (): void => settle('ended');
    engine.once('end', onEnd);
    engine.once('error', settle);
    if (piece.length === 0) engine.end();
    else engine.write(piece, (error) => error ?? settle('more'));
  });
}
