import type { V1PodFailurePolicy, V1PodFailurePolicyRule } from '@kubernetes/client-node';
import { exitCodes } from '../../core/exit-codes.js';
import type { Plain } from './plain.js';

/**
 * What the Job controller does about a pod that failed, by the first rule that fits; where none does, the failure counts
 * against `backoffLimitPerIndex` and the shard is started again after 10 s, 20 s, … 6 min.
 */
export function podFailurePolicy(containerName: string): Plain<V1PodFailurePolicy> {
  const onExitCodes = (action: string, values: readonly number[]): Plain<V1PodFailurePolicyRule> => ({
    action,
    // Must be ascending.
    onExitCodes: { containerName, operator: 'In', values: [...values].sort((a, b) => a - b) },
  });
  return {
    rules: [
      // First: whatever a pod says as its node is drained or taken away, it is no failure of the shard.
      { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
      onExitCodes('Ignore', [exitCodes.interrupted, exitCodes.terminated]),
      onExitCodes('FailJob', [exitCodes.usage, exitCodes.model]),
      // It ran to its end: the same run ends in the same way.
      onExitCodes('FailIndex', [exitCodes.deadLetters, exitCodes.differences]),
    ],
  };
}
