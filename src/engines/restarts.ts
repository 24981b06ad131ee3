import { exitCodes } from '../core/exit-codes.js';

/**
 * What becomes of a shard that ended with an exit code: `done`; `hopeless` is wrong for every shard and every attempt;
 * `again` was stopped in good order, and is started again without counting; `retry` may go well another time.
 */
export type Ending = 'done' | 'hopeless' | 'again' | 'retry';

const endings: ReadonlyMap<number, Ending> = new Map<number, Ending>([
  [exitCodes.ok, 'done'],
  [exitCodes.deadLetters, 'done'],
  [exitCodes.usage, 'hopeless'],
  [exitCodes.model, 'hopeless'],
  [exitCodes.interrupted, 'again'],
  [exitCodes.terminated, 'again'],
]);

export function endingOf(exitCode: number): Ending {
  return endings.get(exitCode) ?? 'retry';
}
