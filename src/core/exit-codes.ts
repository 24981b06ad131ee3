import { isEmbatchError, type ErrorCode } from './errors.js';

/** Exit codes are a contract (docs/design.md §6); job policies of engines match on them. */
export const exitCodes = {
  ok: 0,
  bug: 1,
  usage: 2,
  deadLetters: 20,
  source: 21,
  model: 22,
  sink: 23,
  state: 24,
  /** `verify` found that index and source differ. */
  differences: 25,
  /** `status`: at least one shard is at work, and none is lost. */
  running: 26,
  /** `status`: a shard has died, failed, was stopped, or was never started. */
  shardLost: 27,
  interrupted: 130,
  terminated: 143,
} as const;

const byErrorCode: Readonly<Record<ErrorCode, number>> = {
  USAGE: exitCodes.usage,
  SOURCE: exitCodes.source,
  OBJECT_GONE: exitCodes.source,
  OBJECT_DENIED: exitCodes.source,
  OBJECT_UNREADABLE: exitCodes.source,
  MODEL: exitCodes.model,
  SINK: exitCodes.sink,
  STATE: exitCodes.state,
  LEASE: exitCodes.state,
  // Nothing was started, or it goes on without us: what to do is a matter of configuration.
  ENGINE: exitCodes.usage,
  BUG: exitCodes.bug,
};

/** The one place where an error becomes an exit code. */
export function exitCodeOf(error: unknown): number {
  return isEmbatchError(error) ? byErrorCode[error.code] : exitCodes.bug;
}
