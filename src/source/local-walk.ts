import { stat } from 'node:fs/promises';
import { describeError, EmbatchError, systemErrorCode } from '../core/errors.js';
import type { Abortable, Logger, SourceObject } from '../core/interfaces.js';
import { createFolderReader, type Entry, type FolderOptions, type FolderReader } from './local-folder.js';
import { describeFile, outOfFiles } from './local-paths.js';
import { printable } from './printable.js';
import { unknownObject } from './unknown-object.js';

/** Files looked at together; the threads that do it are four by default. */
const STATS_AT_ONCE = 32;

/** A folder under way: its entries in order, and how many were taken. */
interface Level {
  readonly prefix: string;
  readonly entries: readonly Entry[];
  /** Real paths of this folder and of those that led to it. */
  readonly chain: readonly string[];
  taken: number;
}

/**
 * The files below `root`, a real path, ascending by the UTF-8 bytes of their keys. Holds the entries of one folder
 * per level at a time. What cannot be read is warned of and yielded too, so that it is accounted for: a file
 * or (with `/` after its key) a folder, as an {@link unknownObject}; names that are not UTF-8 with `skip`. Error:
 * SOURCE for the root, or where the system is out of files.
 */
export async function* walk(
  root: string,
  options: FolderOptions & Abortable,
): AsyncGenerator<SourceObject, void, undefined> {
  const { log, signal } = options;
  const folders = await createFolderReader(options);
  const levels: Level[] = [await readRoot(root, folders)];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    signal?.throwIfAborted();
    const entry = level.entries[level.taken];
    if (entry === undefined) {
      levels.pop();
    } else if (entry.kind === 'folder') {
      level.taken++;
      const prefix = level.prefix + entry.name;
      const chain = [...level.chain, entry.path];
      try {
        levels.push({ prefix, entries: await folders.read(entry.path, chain), chain, taken: 0 });
      } catch (error) {
        yield* unreadable(prefix, error, log);
      }
    } else {
      const { prefix } = level;
      const files = nextFiles(level);
      for (const objects of await Promise.all(files.map((file) => describe(prefix, file, log))))
        yield* objects;
    }
  }
  report(folders.leftOut, log);
}

async function readRoot(root: string, folders: FolderReader): Promise<Level> {
  try {
    return { prefix: '', entries: await folders.read(root, [root]), chain: [root], taken: 0 };
  } catch (cause) {
    const message = `Cannot list the folder ${printable(root)}: ${describeError(cause)}.`;
    throw new EmbatchError('SOURCE', message, { cause });
  }
}

/** Takes the next entries of a level up to a folder. */
function nextFiles(level: Level): readonly Entry[] {
  const next = level.entries.slice(level.taken, level.taken + STATS_AT_ONCE);
  const end = next.findIndex(({ kind }) => kind === 'folder');
  const files = end < 0 ? next : next.slice(0, end);
  level.taken += files.length;
  return files;
}

/** None where the file is gone meanwhile. */
async function describe(prefix: string, { name, kind, path }: Entry, log: Logger): Promise<SourceObject[]> {
  const key = prefix + name;
  if (kind === 'not-utf8') {
    log.warn(`Left out ${printable(key)}: its name is not valid UTF-8 (shown percent-encoded). Rename it.`);
    return [{ ...unknownObject(key), skip: 'name not UTF-8' }];
  }
  try {
    return [describeFile(key, await stat(path, { bigint: true }))];
  } catch (error) {
    return unreadable(key, error, log);
  }
}

function unreadable(key: string, error: unknown, log: Logger): SourceObject[] {
  const code = systemErrorCode(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') return [];
  if (code === 'EMFILE' || code === 'ENFILE') throw outOfFiles(error);
  log.warn(`Cannot read ${printable(key)}: ${describeError(error)}.`);
  return [unknownObject(key)];
}

function report({ hidden, links, special }: FolderReader['leftOut'], log: Logger): void {
  if (hidden + links + special === 0) return;
  log.info(
    `Left out ${String(hidden)} hidden names (--hidden takes them), ${String(links)} links ` +
      `(--follow-links follows them) and ${String(special)} special files.`,
  );
}
