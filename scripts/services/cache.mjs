/** A folder outside the checkout for what is assembled once: several checkouts and runs share it. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const cacheFolder = () =>
  path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'embatch-test');

/** Where {@link buildOnce} leaves a file of a folder; whether it did is another matter. */
export const cachedFile = (name, file) => path.join(cacheFolder(), name, file);

const underWay = new Map();

/**
 * The folder `name` of the cache, built where it is missing or half-built. It appears complete or not at all; of
 * several processes one builds and the others wait.
 * @param {string} name
 * @param {string} proof a file inside which the finished folder has
 * @param {(folder: string) => Promise<void>} build fills an empty folder that will be moved
 * @returns {Promise<string>} the folder
 */
export function buildOnce(name, proof, build) {
  if (!underWay.has(name)) underWay.set(name, find(name, proof, build));
  return underWay.get(name);
}

async function find(name, proof, build) {
  const folder = path.join(cacheFolder(), name);
  const isReady = () => existsSync(path.join(folder, proof));
  if (isReady()) return folder;
  mkdirSync(cacheFolder(), { recursive: true });
  const unlock = await lock(path.join(cacheFolder(), `${name}.building`));
  const draft = path.join(cacheFolder(), `${name}.draft-${String(process.pid)}`);
  try {
    if (isReady()) return folder;
    for (const left of readdirSync(cacheFolder()).filter((entry) => entry.startsWith(`${name}.draft-`))) {
      rmSync(path.join(cacheFolder(), left), { recursive: true, force: true });
    }
    mkdirSync(draft);
    await build(draft);
    writeFileSync(path.join(draft, proof), '', { flag: 'a' });
    rmSync(folder, { recursive: true, force: true });
    renameSync(draft, folder);
    return folder;
  } finally {
    rmSync(draft, { recursive: true, force: true });
    unlock();
  }
}

/** Waits while the process that a lock file names is alive. */
async function lock(file) {
  let told = false;
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = readHolder(file);
    if (holder !== undefined && !isAlive(holder)) {
      rmSync(file, { force: true });
      continue;
    }
    if (!told) console.log(`services: waiting for process ${String(holder)}, which holds ${file}`);
    told = true;
    await wait(200);
  }
}

/** @returns {number | undefined} the process; undefined in the moment before it wrote its number, or after it ended */
function readHolder(file) {
  try {
    return Number.parseInt(readFileSync(file, 'utf8'), 10) || undefined;
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
