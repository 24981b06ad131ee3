import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EmbatchError, describeError } from '../../core/errors.js';
import type { Abortable, Logger } from '../../core/interfaces.js';
import { sleep } from '../../core/streams.js';
import { formatBytes, formatDuration } from '../../core/units.js';
import type { OpenBytes } from './hub-client.js';
import { openPartial, type PartialFile } from './partial-file.js';
import { delayMs, type Patience } from './patience.js';
import { writing } from './store-files.js';

export interface FileToFetch {
  /** For messages: `onnx/model.onnx of hf:org/name`. */
  readonly label: string;
  /** Where its content belongs; absolute. */
  readonly target: string;
  /** Bytes. */
  readonly size: number;
  /**
   * The bytes from `offset` on. An error of it is final: it has its own patience for requests. A body that breaks is
   * taken up again here.
   */
  readonly open: (offset: number, options: Abortable) => Promise<OpenBytes>;
  /** Why the content of a file of the right size is wrong; undefined where it is right. */
  readonly verify: (file: string, options: Abortable) => Promise<string | undefined>;
}

export interface FetchOptions extends Abortable {
  readonly log: Logger;
  readonly patience: Patience;
  /** Told of bytes as they arrive; of fewer than none where a file begins anew. */
  readonly onBytes?: (bytes: number) => void;
}

/** Content that is wrong is fetched once more from the start: a partial file may be what an outage left. */
const CONTENT_ATTEMPTS = 2;
/** Room that is left for others. */
const SPARE_BYTES = 16 * 2 ** 20;

/**
 * Fetches a file so that the target is there whole and right, or not at all; safe when several processes do it at
 * once. Goes on where an earlier attempt stopped. Error: MODEL.
 *
 * @returns bytes that were fetched
 */
export async function fetchFile(file: FileToFetch, options: FetchOptions): Promise<number> {
  let fetched = 0;
  for (let attempt = 1; ; attempt++) {
    const partial = await writing(file.target, () => openPartial(file.target));
    let problem: string | undefined;
    try {
      await checkSpace(file, partial);
      fetched += await fill(partial, file, options);
      problem = await file.verify(partial.path, options);
      if (problem === undefined) {
        await writing(file.target, () => partial.finish());
        return fetched;
      }
    } catch (error) {
      await partial.release().catch((failure: unknown) => {
        options.log.debug(`Cannot put ${partial.path} aside: ${describeError(failure)}`);
      });
      throw error;
    }
    await partial.discard();
    options.onBytes?.(-file.size);
    if (attempt >= CONTENT_ATTEMPTS) {
      throw new EmbatchError(
        'MODEL',
        `${file.label} arrived with the wrong content ${CONTENT_ATTEMPTS} times (${problem}). A proxy or mirror on the ` +
          'way changes or mixes up files; nothing of it was kept.',
      );
    }
    options.log.warn(`${file.label} arrived with the wrong content (${problem}); fetching it again.`);
  }
}

/** Bytes from where the partial file ends to the end. */
async function fill(partial: PartialFile, file: FileToFetch, options: FetchOptions): Promise<number> {
  const { log, patience, signal } = options;
  let position = Math.min(partial.size, file.size);
  if (position > 0)
    log.info(`${file.label}: going on after ${formatBytes(position)} that are there already.`);
  options.onBytes?.(position);
  let fetched = 0;
  let failures = 0;
  let failedAt = -1;
  while (position < file.size) {
    const { start, total, body } = await file.open(position, { signal });
    options.onBytes?.(start - position);
    position = start;
    let reason = 'it ended early';
    const pieces = body[Symbol.asyncIterator]();
    try {
      if (total !== undefined && total !== file.size) throw otherSize(file, total);
      for (;;) {
        const next = await nextPiece(pieces);
        if ('failure' in next) {
          reason = next.failure;
          break;
        }
        if (next.done) break;
        const piece = next.piece;
        if (position + piece.byteLength > file.size) throw otherSize(file, position + piece.byteLength);
        await writing(partial.path, () => partial.write(piece, position));
        position += piece.byteLength;
        fetched += piece.byteLength;
        options.onBytes?.(piece.byteLength);
      }
    } finally {
      await pieces.return?.();
    }
    if (position === file.size) break;
    signal?.throwIfAborted();
    failures = position > failedAt ? 1 : failures + 1;
    failedAt = position;
    if (failures >= patience.attempts) throw brokenOff(file, position, reason);
    const wait = delayMs(failures, patience);
    log.warn(
      `${file.label} broke off after ${formatBytes(position)} of ${formatBytes(file.size)} (${reason}); ` +
        `going on in ${formatDuration(wait)}.`,
    );
    await sleep(wait, signal);
  }
  return fetched;
}

type NextPiece =
  | { readonly done: true }
  | { readonly done: false; readonly piece: Uint8Array }
  | { readonly failure: string };

/** Keeps what breaks on the way apart from what breaks in writing. */
async function nextPiece(pieces: AsyncIterator<Uint8Array>): Promise<NextPiece> {
  try {
    const next = await pieces.next();
    return next.done === true ? { done: true } : { done: false, piece: next.value };
  } catch (error) {
    return { failure: describeError(error) };
  }
}

/** Before gigabytes are fetched rather than after. */
async function checkSpace(file: FileToFetch, partial: PartialFile): Promise<void> {
  const folder = dirname(file.target);
  const facts = await statfs(folder).catch(() => undefined);
  // Some network file systems know no such figures.
  if (facts === undefined || facts.blocks === 0) return;
  const free = facts.bavail * facts.bsize;
  const needed = file.size - Math.min(partial.size, file.size);
  if (needed === 0 || needed + SPARE_BYTES <= free) return;
  throw new EmbatchError(
    'MODEL',
    `${file.label} needs ${formatBytes(needed)}, and ${folder} has ${formatBytes(free)} left. Free some space, or ` +
      'choose another place by HF_HOME (for hf:) or XDG_CACHE_HOME.',
  );
}

function otherSize(file: FileToFetch, size: number): EmbatchError {
  return new EmbatchError(
    'MODEL',
    `${file.label} has ${file.size} bytes, and what arrives for it ${size}: it is something else. A proxy or mirror on ` +
      'the way changes or mixes up files.',
  );
}

function brokenOff(file: FileToFetch, position: number, reason: string): EmbatchError {
  return new EmbatchError(
    'MODEL',
    `${file.label} broke off at byte ${position} of ${file.size}, again and again (${reason}). Run again: what has ` +
      'arrived is kept.',
    { retryable: true, details: { kind: 'failing' } },
  );
}
