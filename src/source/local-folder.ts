import { isUtf8 } from 'node:buffer';
import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { compareUtf8 } from '../core/bytes-order.js';
import { systemErrorCode } from '../core/errors.js';
import type { Logger } from '../core/interfaces.js';
import { isWithin, realPathOf } from './local-paths.js';
import { printable } from './printable.js';

export interface FolderOptions {
  readonly followLinks?: boolean | undefined;
  /** Takes what is left out otherwise: names with a leading dot, and `node_modules`. */
  readonly hidden?: boolean | undefined;
  /** Hidden names that are taken all the same. */
  readonly named?: ((name: string) => boolean) | undefined;
  /** Folders and files left out in any case, as paths; they need not exist. */
  readonly leaveOut?: readonly string[] | undefined;
  readonly log: Logger;
}

export interface Entry {
  /** The name, a folder's with `/` after it: what the order of the keys goes by. */
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'not-utf8';
  /** Of a folder, real. */
  readonly path: string;
}

export interface FolderReader {
  /**
   * What of a folder is taken, in the order of its keys. `chain` holds the real paths of this folder and of those
   * that led to it. Rejects with the system's own error.
   */
  read(path: string, chain: readonly string[]): Promise<Entry[]>;
  /** How many names were left out so far, by reason; without those of `leaveOut`. */
  readonly leftOut: { readonly hidden: number; readonly links: number; readonly special: number };
}

export async function createFolderReader(options: FolderOptions): Promise<FolderReader> {
  const { log, followLinks = false, hidden = false, named = () => false } = options;
  const excluded = await Promise.all((options.leaveOut ?? []).map(realPathOf));
  const parentsOfExcluded = new Set(excluded.map((path) => dirname(path)));
  const leftOut = { hidden: 0, links: 0, special: 0 };

  const isWanted = (path: string, name: string): boolean => {
    if (parentsOfExcluded.has(path) && excluded.includes(join(path, name))) return false;
    if (hidden || !(name.startsWith('.') || name === 'node_modules') || named(name)) return true;
    leftOut.hidden++;
    return false;
  };

  const followLink = async (
    path: string,
    name: string,
    chain: readonly string[],
  ): Promise<Entry | undefined> => {
    const link = join(path, name);
    try {
      const target = await realpath(link);
      if (excluded.some((folder) => isWithin(target, folder))) return undefined;
      const stats = await stat(target);
      if (stats.isFile()) return { name, kind: 'file', path: link };
      if (!stats.isDirectory()) return undefined;
      if (!chain.some((folder) => isWithin(folder, target)))
        return { name: `${name}/`, kind: 'folder', path: target };
      log.warn(`Left out the link ${printable(link)}: it leads back to a folder above it.`);
      return undefined;
    } catch (error) {
      // Taken for a file: looking at it will fail again and say why.
      if (systemErrorCode(error) !== 'ENOENT') return { name, kind: 'file', path: link };
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
    if (!isWanted(path, name)) return undefined;
    if (dirent.isFile()) return { name, kind: 'file', path: join(path, name) };
    if (dirent.isDirectory()) return { name: `${name}/`, kind: 'folder', path: join(path, name) };
    if (dirent.isSymbolicLink() && followLinks) return await followLink(path, name, chain);
    leftOut[dirent.isSymbolicLink() ? 'links' : 'special']++;
    return undefined;
  };

  return {
    leftOut,
    async read(path, chain) {
      const entries: Entry[] = [];
      for (const dirent of await readdir(path, { encoding: 'buffer', withFileTypes: true })) {
        const entry = await toEntry(path, dirent, chain);
        if (entry !== undefined) entries.push(entry);
      }
      return entries.sort((a, b) => compareUtf8(a.name, b.name));
    },
  };
}

/** Such a name has no key: it is shown with its odd bytes percent-encoded. */
function notUtf8(path: string, dirent: Dirent<Buffer>): Entry {
  const shown = [...dirent.name]
    .map((byte) => (byte < 0x80 ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase()}`))
    .join('');
  return { name: dirent.isDirectory() ? `${shown}/` : shown, kind: 'not-utf8', path: join(path, shown) };
}
