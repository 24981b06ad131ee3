import { hostname } from 'node:os';
import type { Environment } from './detectors.js';

/** What engines and CI systems set to the same value for all processes of one start. */
const variables = [
  'GITHUB_RUN_ID',
  'CI_PIPELINE_ID',
  'BUILDKITE_BUILD_ID',
  'CIRCLE_WORKFLOW_ID',
  'SLURM_ARRAY_JOB_ID',
  'SLURM_JOB_ID',
] as const;

/**
 * Names the start that this process is one of, where its engine tells: shards of last night must not pass for those of
 * tonight. undefined where nobody tells.
 */
export function fleetToken(env: Environment, host = hostname()): string | undefined {
  // `ID:3` is the fourth child of an array job.
  const batch = env['AWS_BATCH_JOB_ID']?.replace(/:\d+$/, '');
  if (batch !== undefined) return `AWS_BATCH_JOB_ID=${batch}`;
  // The host of a pod of an Indexed Job is called after the job and its index.
  const index = env['JOB_COMPLETION_INDEX'];
  if (index !== undefined && host.endsWith(`-${index}`)) return `job=${host.slice(0, -index.length - 1)}`;
  const name = variables.find((variable) => (env[variable] ?? '') !== '');
  return name === undefined ? undefined : `${name}=${env[name] ?? ''}`;
}
