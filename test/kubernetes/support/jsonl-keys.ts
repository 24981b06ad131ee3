import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Keys of the objects whose rows are in a folder of JSONL files, sorted; one with two rows is there twice. */
export async function jsonlKeys(folder: string): Promise<string[]> {
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.jsonl'));
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  const rows = texts.flatMap((text) => text.split('\n')).filter((line) => line !== '');
  return rows.map((row) => (JSON.parse(row) as { metadata: { key: string } }).metadata.key).sort();
}
