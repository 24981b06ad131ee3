import type { BigIntStats } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { describeError, EmbatchError, systemErrorCode } from '../core/errors.js';
import type { SourceObject } from '../core/interfaces.js';

/** The real path; where there is nothing yet, the real path of what exists above it, and the rest. */
export async function realPathOf(path: string): Promise<string> {
  const absolute = resolve(path);
  try {
    return await realpath(absolute);
  } catch {
    const parent = dirname(absolute);
    return parent === absolute ? absolute : join(await realPathOf(parent), basename(absolute));
  }
}

/** Whether `path` is `folder` or lies below it; both absolute. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** The object that a file is; its version is made of size and modification time. */
export function describeFile(key: string, stats: BigIntStats): SourceObject {
  return {
    key,
    size: Number(stats.size),
    version: `${String(stats.size)}-${String(stats.mtimeNs)}`,
    lastModified: new Date(Number(stats.mtimeMs)).toISOString(),
  };
}

/** For EMFILE and ENFILE: no fault of the object, any other would meet it too. */
export function outOfFiles(cause: unknown): EmbatchError {
  const limit =
    systemErrorCode(cause) === 'ENFILE' ? "the system's limit (fs.file-max)" : 'the limit (ulimit -n)';
  // Reading holds a fixed few files open; every worker thread adds some of its own.
  return new EmbatchError(
    'SOURCE',
    `Too many files are open (${describeError(cause)}): raise ${limit} or lower --workers.`,
    { cause, retryable: true },
  );
}
