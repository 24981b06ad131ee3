import type { BigIntStats, Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { isUtf8 } from 'node:buffer';
import { basename, dirname, join, resolve } from 'node:path';
import { compareUtf8 } from '../core/bytes-order.js';
import { EmbatchError, describeError, systemErrorCode } from '../core/errors.js';
import type { Abortable, Logger, SourceObject } from '../core/interfaces.js';
import { printable } from './printable.js';
import { unknownObject } from './unknown-object.js';

export interface WalkOptions {
  readonly followLinks?: boolean | undefined;
  /** Takes what is left out otherwise: names with a leading dot, and `node_modules`. */
  readonly hidden?: boolean | undefined;
  /** Hidden names that are taken all the same. */
  readonly named?: ((name: string) => boolean) | undefined;
  /** Folders and files left out in any case, as paths; they need not exist. */
  readonly leaveOut?: readonly string[] | undefined;
  readonly log: Logger;
}

/** Files looked at together; the threads that do it are four by default. */
const STATS_AT_ONCE = 32;

interface Entry {
  /** The name, a folder's with `/` after it: what the order of the keys goes by. */
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'not-utf8' | 'unreadable';
  /** Of a folder, real. */
  readonly path: string;
}

/** A folder under way: its entries in order, and how many were taken. */
interface Level {
  readonly prefix: string;
  readonly entries: readonly Entry[];
  /** Real paths of this folder and of those above it. */
  readonly chain: readonly string[];
  taken: number;
}

interface LeftOut {
  hidden: number;
  links: number;
  special: number;
}

/**
 * The files below `root`, a real path, ascending by the UTF-8 bytes of their keys. Holds the entries of one folder
 * per level at a time. What cannot be read is warned of and yielded too, so that it is accounted for: a file
 * or (with `/` after its key) a folder, as an {@link unknownObject}; names that are not UTF-8 with `skip`. Error:
 * SOURCE for the root, or where the system is out of files.
 */
export async function* walk(
  root: string,
  options: WalkOptions & Abortable,
): AsyncGenerator<SourceObject, void, undefined> {
  const walker = await createWalker(options);
  const first = await walker.read(root, '', []);
  if ('error' in first) throw rootUnreadable(root, first.error);
  const levels: Level[] = [first];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    options.signal?.throwIfAborted();
    const entry = level.entries[level.taken];
    if (entry === undefined) {
      levels.pop();
    } else if (entry.kind === 'folder') {
      level.taken++;
      const key = level.prefix + entry.name;
      const below = await walker.read(entry.path, key, level.chain);
      if ('error' in below) yield* walker.unreadable(key, below.error);
      else levels.push(below);
    } else {
      const files = level.entries.slice(level.taken, level.taken + STATS_AT_ONCE);
      const end = files.findIndex(({ kind }) => kind === 'folder');
      const run = end < 0 ? files : files.slice(0, end);
      level.taken += run.length;
      const { prefix } = level;
      for (const objects of await Promise.all(run.map((file) => walker.describe(prefix, file))))
        yield* objects;
    }
  }
  walker.report();
}

interface Walker {
  read(path: string, prefix: string, chain: readonly string[]): Promise<Level | { readonly error: unknown }>;
  /** None where the file is gone meanwhile. */
  describe(prefix: string, entry: Entry): Promise<SourceObject[]>;
  unreadable(key: string, error: unknown): SourceObject[];
  report(): void;
}

async function createWalker(options: WalkOptions): Promise<Walker> {
  const { log, followLinks = false, hidden = false, named = () => false } = options;
  const excluded = new Set(await Promise.all((options.leaveOut ?? []).map(realPathOf)));
  const excludedParents = new Set([...excluded].map((path) => dirname(path)));
  const leftOut: LeftOut = { hidden: 0, links: 0, special: 0 };

  const wanted = (path: string, name: string): boolean => {
    if (excludedParents.has(path) && excluded.has(join(path, name))) return false;
    if (hidden || !(name.startsWith('.') || name === 'node_modules') || named(name)) return true;
    leftOut.hidden++;
    return false;
  };

  const resolveLink = async (
    path: string,
    name: string,
    chain: readonly string[],
  ): Promise<Entry | undefined> => {
    const link = join(path, name);
    try {
      const target = await realpath(link);
      if (excluded.has(target)) return undefined;
      const stats = await stat(target);
      if (stats.isFile()) return { name, kind: 'file', path: link };
      if (!stats.isDirectory()) return undefined;
      if (!chain.includes(target)) return { name: `${name}/`, kind: 'folder', path: target };
      log.warn(`Left out the link ${printable(link)}: it leads back to a folder above it.`);
      return undefined;
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') return { name, kind: 'unreadable', path: link };
      log.warn(`Left out the link ${printable(link)}: it leads nowhere.`);
      return undefined;
    }
  };

  const toEntry = async (
    path: string,
    dirent: Dirent<Buffer>,
    chain: readonly string[],
  ): Promise<Entry | undefined> => {
    if (!isUtf8(dirent.name)) return notUtf8(path, dirent);
    const name = dirent.name.toString();
    if (!wanted(path, name)) return undefined;
    if (dirent.isFile()) return { name, kind: 'file', path: join(path, name) };
    if (dirent.isDirectory()) return { name: `${name}/`, kind: 'folder', path: join(path, name) };
    if (dirent.isSymbolicLink() && followLinks) return await resolveLink(path, name, chain);
    leftOut[dirent.isSymbolicLink() ? 'links' : 'special']++;
    return undefined;
  };

  const unreadable = (key: string, error: unknown): SourceObject[] => {
    const code = systemErrorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    if (code === 'EMFILE' || code === 'ENFILE') throw outOfFiles(error);
    log.warn(`Cannot read ${printable(key)}: ${describeError(error)}.`);
    return [unknownObject(key)];
  };

  return {
    unreadable,
    async read(path, prefix, above) {
      const chain = [...above, path];
      try {
        const dirents = await readdir(path, { encoding: 'buffer', withFileTypes: true });
        const entries: Entry[] = [];
        for (const dirent of dirents) {
          const entry = await toEntry(path, dirent, chain);
          if (entry !== undefined) entries.push(entry);
        }
        entries.sort((a, b) => compareUtf8(a.name, b.name));
        return { prefix, entries, chain, taken: 0 };
      } catch (error) {
        return { error };
      }
    },
    async describe(prefix, { name, kind, path }) {
      const key = prefix + name;
      if (kind === 'not-utf8') {
        log.warn(
          `Left out ${printable(key)}: its name is not valid UTF-8 (shown percent-encoded). Rename it.`,
        );
        return [{ ...unknownObject(key), skip: 'name not UTF-8' }];
      }
      try {
        return [describeFile(key, await stat(path, { bigint: true }))];
      } catch (error) {
        return unreadable(key, error);
      }
    },
    report() {
      if (leftOut.hidden + leftOut.links + leftOut.special === 0) return;
      log.info(
        `Left out ${String(leftOut.hidden)} hidden names (--hidden takes them), ${String(leftOut.links)} links ` +
          `(--follow-links follows them) and ${String(leftOut.special)} special files.`,
      );
    },
  };
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

/** Such a name has no key: it is shown with its odd bytes percent-encoded. */
function notUtf8(path: string, dirent: Dirent<Buffer>): Entry {
  const shown = [...dirent.name]
    .map((byte) => (byte < 0x80 ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase()}`))
    .join('');
  return { name: dirent.isDirectory() ? `${shown}/` : shown, kind: 'not-utf8', path: join(path, shown) };
}

function rootUnreadable(root: string, cause: unknown): EmbatchError {
  return new EmbatchError('SOURCE', `Cannot list the folder ${printable(root)}: ${describeError(cause)}.`, {
    cause,
  });
}

export function outOfFiles(cause: unknown): EmbatchError {
  return new EmbatchError(
    'SOURCE',
    `Too many files are open (${describeError(cause)}): raise the limit (ulimit -n) or lower the concurrency.`,
    { cause, retryable: true },
  );
}
