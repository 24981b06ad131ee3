import { readFile } from 'node:fs/promises';
import { EmbatchError, describeError } from '../../core/errors.js';

/** A text and what the reference implementation made of it; other keys hold vectors under other names. */
export type ReferenceRow = Readonly<Record<string, unknown>> & { readonly text: string };

/**
 * Reads reference vectors: a JSON array of rows, one row per line, or an object whose `text` is the array. Each row
 * has at least a `text`. Errors: USAGE for a file that is not there or is something else.
 */
export async function readReferenceFile(file: string): Promise<ReferenceRow[]> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch (error) {
    throw new EmbatchError('USAGE', `the reference ${file} cannot be read: ${describeError(error)}`, {
      cause: error,
    });
  }
  const rows = parseWhole(content) ?? parseLines(content, file);
  if (rows.length === 0) throw new EmbatchError('USAGE', `the reference ${file} has no rows.`);
  return rows.map((row, index) => {
    if (typeof row === 'object' && row !== null && 'text' in row && typeof row.text === 'string') {
      return row as ReferenceRow;
    }
    throw new EmbatchError('USAGE', `row ${index + 1} of the reference ${file} has no text.`);
  });
}

function parseWhole(content: string): unknown[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch {
    // Several values, one per line; what is wrong with them is found there.
    return undefined;
  }
  if (Array.isArray(value)) return value as unknown[];
  const texts = (value as { text?: unknown } | null)?.text;
  return Array.isArray(texts) ? (texts as unknown[]) : [value];
}

function parseLines(content: string, file: string): unknown[] {
  return content
    .split('\n')
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .filter(({ line }) => line !== '')
    .map(({ line, number }) => {
      try {
        return JSON.parse(line) as unknown;
      } catch (error) {
        throw new EmbatchError(
          'USAGE',
          `line ${number} of the reference ${file} is not JSON: ${describeError(error)}`,
        );
      }
    });
}
