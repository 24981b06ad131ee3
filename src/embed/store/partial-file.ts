import { createHash } from 'node:crypto';
import { open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { systemErrorCode } from '../../core/errors.js';
import { makeFolder } from '../../core/make-folder.js';

/**
 * A file that is being fetched, under a name of this process alone: `<target>.<host>-<pid>-<n>.incomplete`. Two
 * processes never write to one file, and what a process leaves behind is taken up by the next one.
 */
export interface PartialFile {
  readonly path: string;
  /** Bytes that were there when it was opened. */
  readonly size: number;
  /** Writes at a position of the file. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Makes it the target, durably and at once. */
  finish(): Promise<void>;
  /** Leaves it for whoever goes on. */
  release(): Promise<void>;
  discard(): Promise<void>;
}

/** What a process on another machine has not touched for so long has been left behind. */
const ABANDONED_MS = 10 * 60_000;

const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
const ownNames = new Set<string>();
let counter = 0;

/** Takes up the largest file that another attempt at `target` left behind, else begins one. */
export async function openPartial(target: string): Promise<PartialFile> {
  await makeFolder(dirname(target));
  const name = `${basename(target)}.${host}-${process.pid}-${++counter}.incomplete`;
  const path = join(dirname(target), name);
  ownNames.add(name);
  let handle: FileHandle | undefined;
  try {
    for (const left of await leftBehind(target)) {
      if (await renamed(left, path)) break;
    }
    handle = await open(path, 'r+').catch(async (error: unknown) => {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
      return await open(path, 'wx+');
    });
    return createPartial(handle, path, target, (await handle.stat()).size);
  } catch (error) {
    ownNames.delete(name);
    await handle?.close();
    throw error;
  }
}

function createPartial(handle: FileHandle, path: string, target: string, size: number): PartialFile {
  const close = async (): Promise<void> => {
    ownNames.delete(basename(path));
    await handle.close();
  };
  return {
    path,
    size,
    async write(bytes, position) {
      for (let done = 0; done < bytes.byteLength;) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.byteLength - done, position + done);
        done += bytesWritten;
      }
    },
    async finish() {
      await handle.sync();
      await close();
      await rename(path, target);
    },
    async release() {
      const { size: bytes } = await handle.stat();
      await close();
      if (bytes === 0) await rm(path, { force: true });
      else await renamed(path, `${target}.incomplete`);
    },
    async discard() {
      await close();
      await rm(path, { force: true });
    },
  };
}

/** Files that nobody writes to, the largest first. */
async function leftBehind(target: string): Promise<string[]> {
  const folder = dirname(target);
  const prefix = `${basename(target)}.`;
  const names = (await readdir(folder)).filter(
    (name) => name.startsWith(prefix) && name.endsWith('.incomplete') && !ownNames.has(name),
  );
  const found: { path: string; size: number }[] = [];
  for (const name of names) {
    const path = join(folder, name);
    const facts = await stat(path).catch(() => undefined);
    if (facts === undefined) continue;
    const middle = name.slice(prefix.length, -'incomplete'.length);
    // `<target>.incomplete`: released by us, or by an older version of the Python tools.
    const isReleased = middle === '';
    const owner = /^([0-9a-f]{8})-(\d+)-\d+\.$/.exec(middle);
    const isOrphan = owner?.[1] === host && !isRunning(Number(owner[2]));
    // The newer Python tools name theirs by eight random digits.
    const isKnown = owner !== null || /^[0-9a-f]{8}\.$/.test(middle);
    if (isReleased || isOrphan || (isKnown && Date.now() - facts.mtimeMs > ABANDONED_MS)) {
      found.push({ path, size: facts.size });
    }
  }
  return found.sort((a, b) => b.size - a.size).map(({ path }) => path);
}

/** Our own process id on a file that is not ours: an earlier process of a container, which always has the same. */
function isRunning(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
}

/** False where another process was faster. */
async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
