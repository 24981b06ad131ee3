import type { Phase } from './engine.js';

/**
 * What a fleet is by its shards: at work as long as one may yet begin or end.
 *
 * @param isIncomplete the engine does not know some of them: then it cannot be said that the fleet succeeded
 */
export function commonPhase(phases: readonly Phase[], isIncomplete = false): Phase {
  const has = (phase: Phase): boolean => phases.includes(phase);
  if (has('running')) return 'running';
  if (has('waiting')) return phases.every((phase) => phase === 'waiting') ? 'waiting' : 'running';
  if (has('failed') || isIncomplete) return 'failed';
  return has('stopped') ? 'stopped' : 'succeeded';
}
