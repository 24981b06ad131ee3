/** Documents to measure with: the manual's own pages, cut at headings and varied, so that no two are the same. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * Writes Markdown files of mixed lengths into `folder`.
 * @param {{ docs: string, folder: string, bytes: number }} options about so many bytes in all
 * @returns {Promise<{ files: number, bytes: number }>}
 */
export async function writeCorpus({ docs, folder, bytes }) {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const sections = await manualSections(docs);
  let files = 0;
  let written = 0;
  for (let round = 1; written < bytes; round++) {
    for (let i = 0; i < sections.length && written < bytes; i++) {
      // One to four sections a file: lengths from a few words to some chunks.
      const parts = sections.slice(i, i + 1 + ((i * 7 + round) % 4));
      const text = `Edition ${round}, page ${i}.\n\n${parts.join('\n\n')}\n`;
      await writeFile(
        path.join(folder, `${String(round).padStart(4, '0')}-${String(i).padStart(4, '0')}.md`),
        text,
      );
      files += 1;
      written += Buffer.byteLength(text);
    }
  }
  return { files, bytes: written };
}

async function manualSections(docs) {
  const names = (await readdir(docs)).filter((name) => name.endsWith('.md')).sort();
  const texts = await Promise.all(names.map((name) => readFile(path.join(docs, name), 'utf8')));
  return texts.flatMap((text) => text.split(/\n(?=#{1,3} )/)).filter((section) => section.trim().length > 40);
}
