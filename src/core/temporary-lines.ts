import { randomUUID } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbatchError, describeError } from './errors.js';
import type { Abortable } from './interfaces.js';

/** Part of the file: bytes from `start` up to and without `end`. */
export interface LineRange {
  readonly start: number;
  readonly end: number;
}

export interface TemporaryLines {
  /** Adds lines, each without line breaks. One call at a time. Error: STATE. */
  append(lines: AsyncIterable<string> | Iterable<string>, options?: Abortable): Promise<LineRange>;
  /** The lines of a range as they were added, some at a time. Error: STATE. */
  read(range: LineRange, options?: Abortable): AsyncGenerator<readonly string[], void, undefined>;
  /** Gives the room back. Idempotent. */
  close(): Promise<void>;
}

const WRITE_CHARACTERS = 256 * 1024;
const READ_BYTES = 64 * 1024;
const LINE_BREAK = 0x0a;

/**
 * Lines that are too many for the memory, in the system's folder for temporary files. The file loses its name as soon
 * as it is open, so that no way to end the process, not even `kill -9`, leaves it behind. Error: STATE.
 */
export async function createTemporaryLines(): Promise<TemporaryLines> {
  const folder = tmpdir();
  const path = join(folder, `embatch-${randomUUID()}.tmp`);
  const file = await open(path, 'wx+', 0o600).catch((error: unknown) => fail(folder, error));
  // Some systems remove no file that is open.
  const isNameless = await rm(path).then(
    () => true,
    () => false,
  );
  let length = 0;
  let isClosed = false;

  const write = async (text: string): Promise<void> => {
    const bytes = Buffer.from(text, 'utf8');
    for (let written = 0; written < bytes.length;) {
      const { bytesWritten } = await file.write(bytes, written, bytes.length - written, length);
      written += bytesWritten;
      length += bytesWritten;
    }
  };

  return {
    async append(lines, { signal } = {}) {
      signal?.throwIfAborted();
      const start = length;
      let waiting = '';
      try {
        for await (const line of lines) {
          waiting += `${line}\n`;
          if (waiting.length < WRITE_CHARACTERS) continue;
          signal?.throwIfAborted();
          await write(waiting);
          waiting = '';
        }
        await write(waiting);
      } catch (error) {
        signal?.throwIfAborted();
        fail(folder, error);
      }
      return { start, end: length };
    },
    async *read({ start, end }, { signal } = {}) {
      let size = READ_BYTES;
      for (let position = start; position < end;) {
        signal?.throwIfAborted();
        const bytes = await readFully(file, position, Math.min(size, end - position), folder);
        const lastBreak = bytes.lastIndexOf(LINE_BREAK);
        if (lastBreak < 0) {
          // A line longer than what was read.
          size *= 2;
          continue;
        }
        yield bytes.toString('utf8', 0, lastBreak).split('\n');
        position += lastBreak + 1;
      }
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      await file.close();
      if (!isNameless) await rm(path, { force: true });
    },
  };
}

async function readFully(
  file: FileHandle,
  position: number,
  length: number,
  folder: string,
): Promise<Buffer<ArrayBuffer>> {
  const bytes = Buffer.allocUnsafe(length);
  for (let filled = 0; filled < length;) {
    const { bytesRead } = await file
      .read(bytes, filled, length - filled, position + filled)
      .catch((error: unknown) => fail(folder, error));
    if (bytesRead === 0) fail(folder, new Error('the file ends too early'));
    filled += bytesRead;
  }
  return bytes;
}

function fail(folder: string, error: unknown): never {
  if (error instanceof EmbatchError) throw error;
  throw new EmbatchError(
    'STATE',
    `a temporary file in ${folder} cannot be used: ${describeError(error)}. TMPDIR names another folder, one with room.`,
    { cause: error },
  );
}
