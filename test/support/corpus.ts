import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** One object of the shared bucket of real documents. */
export interface CorpusObject {
  readonly key: string;
  readonly bytes: Buffer;
  readonly format: string | undefined;
  readonly kinds: readonly string[];
}

interface ManifestLine {
  readonly key: string;
  readonly file: string;
  readonly format?: string;
  readonly kind?: readonly string[];
}

/** Unpacks the archive into `folder` and gives its objects. A newline in a key is more than the S3 server takes. */
export function unpackCorpus(shared: string, folder: string): CorpusObject[] {
  execFileSync('tar', ['-xzf', join(shared, 'data', 'corpus-docs.tar.gz'), '-C', folder]);
  return readFileSync(join(folder, 'manifest.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as ManifestLine)
    .filter(({ key }) => !key.includes('\n'))
    .map(({ key, file, format, kind = [] }) => ({
      key,
      bytes: readFileSync(join(folder, file)),
      format,
      kinds: kind,
    }));
}

/** What an object must become: so many documents, or nothing, or documents and a dead letter. */
export interface Expected {
  readonly documents: number;
  readonly failed: boolean;
}

const nothing: Expected = { documents: 0, failed: false };
const broken: Expected = { documents: 0, failed: true };

/** Counted by other means than the program's own, from the bytes and what the manifest says of them. */
export function expectedOf({ key, bytes, format = '', kinds }: CorpusObject): Expected {
  if (bytes.length === 0) return nothing;
  if (kinds.includes('binary')) return key.endsWith('.txt') ? broken : nothing;
  // Random bytes: the manifest says only that they are not UTF-8.
  if (key === 'invalid/random.txt') return broken;
  if (kinds.includes('nul-bytes') || kinds.includes('not-gzip') || kinds.includes('truncated')) return broken;
  if (['pdf', 'docx', 'parquet'].includes(format)) return nothing;
  const content = format.endsWith('.gz') ? gunzipSync(bytes) : bytes;
  const text = content.toString(kinds.includes('utf16le-bom') ? 'utf16le' : 'utf8');
  if (text.replace(/^\uFEFF/, '').trim() === '') return nothing;
  switch (format.replace(/\.gz$/, '')) {
    case 'jsonl':
      return countJsonLines(text);
    case 'csv':
      return { documents: countCsvRows(text), failed: false };
    default:
      return { documents: 1, failed: false };
  }
}

function countJsonLines(text: string): Expected {
  let documents = 0;
  let failed = false;
  for (const line of text.split('\n').filter((candidate) => candidate.trim() !== '')) {
    const record = parsed(line);
    if (record === undefined) failed = true;
    else if (Object.values(record).some((value) => typeof value === 'string' && value.trim() !== ''))
      documents += 1;
  }
  return { documents, failed };
}

function parsed(line: string): object | undefined {
  try {
    const value = JSON.parse(line) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Rows after the header that have a cell with content; quotes may hold line ends. */
function countCsvRows(text: string): number {
  let rows = 0;
  let quoted = false;
  let filled = false;
  for (const character of `${text}\n`) {
    if (character === '"') quoted = !quoted;
    else if (character === '\n' && !quoted) {
      if (filled) rows += 1;
      filled = false;
    } else if (!/[,\s]/.test(character)) filled = true;
  }
  return rows - 1;
}
