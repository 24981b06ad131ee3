import type { Logger } from '../core/interfaces.js';

/** What every sink's factory is told of the run that opens it. */
export interface SinkContext {
  readonly log: Logger;
  /** Time-ordered id of the run, such as `20261121t100000z-4f1c`. */
  readonly run: string;
  readonly shard: { readonly index: number; readonly count: number };
}
