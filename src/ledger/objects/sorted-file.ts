import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { Abortable, StateStore } from '../../core/interfaces.js';
import { mapConcurrent } from '../../core/streams.js';
import type { ShardRef } from '../names.js';
import { formatEntry, parseEntry, type StampedEntry } from './entry.js';

/**
 * What a file of entries says of itself. It is written last: a file without it does not exist, so a kill at any
 * moment leaves whole files only.
 */
export interface FileHead {
  /** A journal holds what one run did for a while; a snapshot all that is known of a shard's keys. */
  readonly kind: 'journal' | 'snapshot';
  /** Time-ordered. */
  readonly run: string;
  readonly shard: ShardRef;
  /** Ascending within a run. */
  readonly sequence: number;
  readonly blocks: number;
  readonly entries: number;
  /** The latest time of an entry. */
  readonly newest: number;
  /** With it and what came later, all that the index holds of this shard's keys is known. */
  readonly complete: boolean;
  /** Names of files whose entries, as far as they are of this shard's keys, are in this one. */
  readonly absorbs: readonly string[];
}

/** Of lines before compression: what a reader holds of each file that it reads at once. */
const BLOCK_CHARACTERS = 128 * 1024;
const BLOCK_DIGITS = 6;
const HEAD = 'head.json';
const HEADS_AT_ONCE = 16;
/** Blocks without a head are what a killed writer left, or those of one at work: after so long they are the former. */
const DEAD_AFTER_MS = 24 * 60 * 60 * 1000;

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** Writes ascending entries below `name`; the file is there when this resolves. Error: STATE. */
export async function writeSortedFile(
  store: StateStore,
  name: string,
  head: Omit<FileHead, 'blocks' | 'entries' | 'newest'>,
  entries: AsyncIterable<StampedEntry> | Iterable<StampedEntry>,
  options: Abortable = {},
): Promise<FileHead> {
  let blocks = 0;
  let count = 0;
  let newest = 0;
  let lines: string[] = [];
  let characters = 0;
  const endBlock = async (): Promise<void> => {
    if (lines.length === 0) return;
    await store.put(blockName(name, blocks), await compress(lines.join('\n')), options);
    blocks += 1;
    lines = [];
    characters = 0;
  };
  for await (const entry of entries) {
    const line = formatEntry(entry);
    lines.push(line);
    characters += line.length;
    count += 1;
    newest = Math.max(newest, entry.at);
    if (characters >= BLOCK_CHARACTERS) await endBlock();
  }
  await endBlock();
  const whole: FileHead = { ...head, blocks, entries: count, newest };
  await store.put(`${name}/${HEAD}`, `${JSON.stringify(whole)}\n`, options);
  return whole;
}

export interface SortedFile {
  readonly name: string;
  readonly head: FileHead;
}

/** All files below `prefix`, oldest first. Those whose head cannot be read are told of and left out. Error: STATE. */
export async function listSortedFiles(
  store: StateStore,
  prefix: string,
  onDamage: (what: string) => void,
  options: Abortable = {},
): Promise<SortedFile[]> {
  const files: SortedFile[] = [];
  const paths = (await store.list(prefix, options)).filter((path) => path.endsWith(`/${HEAD}`));
  const read = mapConcurrent(paths, HEADS_AT_ONCE, async (path) => ({
    path,
    bytes: await store.get(path, options),
  }));
  for await (const { path, bytes } of read) {
    // Another shard may have removed it since.
    if (bytes === undefined) continue;
    const head = parseHead(Buffer.from(bytes).toString('utf8'));
    if (head === undefined) onDamage(`${store.uri}/${path} is damaged`);
    else files.push({ name: path.slice(0, -HEAD.length - 1), head });
  }
  return files.sort((a, b) => compareAge(a.head, b.head));
}

/** Runs are time-ordered, and so are the files of one. */
function compareAge(a: FileHead, b: FileHead): number {
  if (a.run !== b.run) return a.run < b.run ? -1 : 1;
  return a.sequence - b.sequence;
}

function parseHead(text: string): FileHead | undefined {
  let head: Partial<FileHead> | null;
  try {
    head = JSON.parse(text) as Partial<FileHead> | null;
  } catch {
    // Cut off or overwritten: the caller tells of it.
    return undefined;
  }
  const isHead =
    (head?.kind === 'journal' || head?.kind === 'snapshot') &&
    typeof head.run === 'string' &&
    typeof head.sequence === 'number' &&
    typeof head.blocks === 'number' &&
    typeof head.newest === 'number' &&
    typeof head.shard?.count === 'number' &&
    Array.isArray(head.absorbs);
  return isHead ? (head as FileHead) : undefined;
}

/** Another shard has removed the file, since its own holds all of it by now: list the files again. */
export class FileGoneError extends Error {}

/**
 * The entries of a file, ascending, a block at a time. Where a block is damaged the rest is left out and told of: what
 * is not known is done again, which costs time and nothing else. Errors: STATE; FileGoneError.
 */
export async function* readSortedFile(
  store: StateStore,
  { name, head }: SortedFile,
  onDamage: (what: string) => void,
  options: Abortable = {},
): AsyncGenerator<StampedEntry> {
  for (let block = 0; block < head.blocks; block++) {
    const path = blockName(name, block);
    const bytes = await store.get(path, options);
    if (bytes === undefined) throw new FileGoneError(`${store.uri}/${path} is missing`);
    const text = await unpacked(bytes);
    if (text === undefined) {
      onDamage(`${store.uri}/${path} is damaged`);
      return;
    }
    for (const line of text.split('\n')) {
      const entry = parseEntry(line);
      if (entry === undefined) {
        onDamage(`${store.uri}/${path} has a line that is no entry`);
        return;
      }
      yield entry;
    }
  }
}

async function unpacked(bytes: Uint8Array): Promise<string | undefined> {
  try {
    return (await decompress(bytes)).toString('utf8');
  } catch {
    // Cut off or overwritten: the caller tells of it.
    return undefined;
  }
}

/** Removes a file, head first: what is left of it by a kill is no file any more. Error: STATE. */
export async function removeSortedFile(
  store: StateStore,
  { name, head }: SortedFile,
  options: Abortable = {},
): Promise<void> {
  await store.delete(`${name}/${HEAD}`, options);
  for (let block = 0; block < head.blocks; block++) await store.delete(blockName(name, block), options);
}

/**
 * Removes what is no file: blocks without a head of runs a day older than `run`, which killed writers left, and files
 * whose head is damaged. Error: STATE.
 */
export async function sweepRemains(
  store: StateStore,
  prefix: string,
  run: string,
  options: Abortable = {},
): Promise<void> {
  const paths = await store.list(prefix, options);
  const whole = await listSortedFiles(store, prefix, () => undefined, options);
  const names = new Set(whole.map(({ name }) => name));
  const headed = new Set(paths.filter((path) => path.endsWith(`/${HEAD}`)).map(folderOfPath));
  const limit = timeOfRun(run) - DEAD_AFTER_MS;
  for (const path of paths) {
    const folder = folderOfPath(path);
    if (names.has(folder)) continue;
    if (headed.has(folder) || timeOfRun(path.slice(prefix.length)) < limit) await store.delete(path, options);
  }
}

const folderOfPath = (path: string): string => path.slice(0, path.lastIndexOf('/'));

/** Milliseconds since 1970 of what begins with a run's id; NaN where nothing does. */
function timeOfRun(name: string): number {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)t(\d\d)(\d\d)(\d\d)z-/.exec(name) ?? [];
  const [year = NaN, month = NaN, ...rest] = parts.map(Number);
  return Date.UTC(year, month - 1, ...rest);
}

const blockName = (name: string, block: number): string =>
  `${name}/${String(block).padStart(BLOCK_DIGITS, '0')}.jsonl.gz`;
