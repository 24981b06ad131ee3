import type { WorkItem } from './object-progress.js';
import type { Logger, Sink, Source, SourceObject } from '../core/interfaces.js';
import type { WorkerPool } from '../embed/pool.js';
import type { DeadLetters } from '../ledger/dead-letters.js';
import type { Ledger } from '../ledger/objects/ledger.js';
import type { LedgerEntry } from '../ledger/objects/entry.js';
import type { Task, TaskResult } from './bundle.js';
import type { Departed } from './departed.js';
import type { FailureLimit } from './failure-limit.js';
import type { FormerLetters } from './former-letters.js';
import type { LettersByKey } from './retry-letters.js';
import type { RowWriter } from './row-writer.js';
import type { Settlements } from './settle-objects.js';
import type { SplitObjects } from './split-objects.js';
import type { Tally } from './tally.js';

/** An object that may have ended former runs, and what the ledger knows of it. */
export interface Suspect {
  readonly object: WorkItem;
  readonly former: LedgerEntry | undefined;
}

/** What the stages of one shard work with. */
export interface PipelineContext {
  readonly source: Source;
  /** Every object of the source, in order; the first may have been asked for already. */
  readonly listing: AsyncIterable<SourceObject>;
  readonly sink: Sink;
  readonly pool: WorkerPool<Task, TaskResult>;
  readonly writer: RowWriter;
  readonly shard: { readonly index: number; readonly count: number };
  /** Size of the ranges of large objects; undefined where none is split. */
  readonly rangeBytes: number | undefined;
  readonly maxDocumentBytes: number;
  readonly deadLetters: DeadLetters;
  /** Those that earlier runs have left. */
  readonly formerLetters: FormerLetters;
  /** The same by object: then only what failed is embedded again. */
  readonly replays: LettersByKey | undefined;
  readonly failures: FailureLimit;
  readonly ledger: Ledger;
  readonly settlements: Settlements;
  /** Takes objects that are done by ranges. */
  readonly splits: SplitObjects;
  /** Takes objects that are gone; undefined where nothing may be concluded from this listing. */
  readonly departed: Departed | undefined;
  /** Another run of this shard seems to be alive. */
  readonly isAnotherAtWork: boolean;
  /** Takes objects that several runs have died with, to be tried alone when all else is done. */
  readonly suspects: Suspect[];
  /** Fingerprint of the text half of the recipe. */
  readonly text: string;
  /** Embed again what was cut by another text half. */
  readonly refreshText: boolean;
  readonly tally: Tally;
  readonly log: Logger;
  /** Ends the listing; what was read so far is embedded as far as workers have it, and written. */
  readonly stop: AbortSignal;
}
