import { awsClientSettings } from '../aws-client.js';
import type { EngineContext } from '../context.js';
import type { Engine } from '../engine.js';
import { readConfig, type AwsBatchOptions } from './config.js';
import { ensureDefinition, ownDefinition } from './definition.js';
import { childrenOf, describeJob, hasEnded, jobsNamed, type BatchAccess } from './find-jobs.js';
import { fleetState } from './job-state.js';
import { MAX_SHARDS, printedRequests, submitJobRequest } from './requests.js';
import {
  refuseNameInUse,
  submitJob,
  submitPatience,
  terminateJob,
  type SubmitPatience,
} from './submit-job.js';

/** Where Batch puts the logs of all jobs. Source: AWS Batch user guide, "Using the awslogs log driver". */
const LOG_GROUP = '/aws/batch/job';

/**
 * One array job of AWS Batch with a child for each shard. A child that fails is started again by Batch, by its exit code
 * (requests.ts). Error: USAGE for options.
 */
export async function createAwsBatchEngine(
  options: AwsBatchOptions,
  { log, environment }: EngineContext,
  patience: Partial<SubmitPatience> = {},
): Promise<Engine> {
  const config = readConfig(options);
  const { definition, queue } = config;
  const settings = await awsClientSettings('BATCH', environment);
  const { BatchClient } = await import('@aws-sdk/client-batch');
  const client = new BatchClient(settings);
  const once = new BatchClient({ ...settings, maxAttempts: 1 });
  const region = await client.config.region().catch(() => undefined);
  const place = `AWS Batch queue ${queue}${region === undefined ? '' : ` in ${region}`}`;
  const access: BatchAccess = { client, queue, place };
  return {
    name: 'aws-batch',
    place,
    maxShards: MAX_SHARDS,
    format: 'json',
    onlyZeroSucceeds: true,
    refusesValue: () => undefined,
    requests: (fleet) => printedRequests(fleet, config),
    async submit(fleet, abortable = {}) {
      const request = submitJobRequest(fleet, config);
      const known = await refuseNameInUse(access, fleet.name, abortable);
      if (definition.kind === 'own') await ensureDefinition(client, definition, place, abortable);
      return submitJob(access, once, request, {
        ...abortable,
        log,
        known,
        patience: { ...submitPatience, ...patience },
      });
    },
    async state(fleet, abortable = {}) {
      const jobId = fleet.handle ?? (await jobsNamed(access, fleet.name, abortable))[0]?.jobId;
      const job = jobId === undefined ? undefined : await describeJob(access, jobId, abortable);
      if (job === undefined) return undefined;
      const isArray = job.arrayProperties?.size !== undefined;
      return fleetState(job, isArray ? await childrenOf(access, job, abortable) : []);
    },
    async stop(fleet, abortable = {}) {
      const live =
        fleet.handle === undefined
          ? (await jobsNamed(access, fleet.name, abortable)).filter((job) => !hasEnded(job))
          : [{ jobId: fleet.handle }];
      for (const { jobId } of live) if (jobId !== undefined) await terminateJob(access, jobId, abortable);
    },
    logsOf() {
      const name =
        definition.kind === 'given' ? nameOf(definition.name) : ownDefinition(definition).jobDefinitionName;
      const inRegion = region === undefined ? '' : ` --region ${region}`;
      return `aws logs tail ${LOG_GROUP} --log-stream-name-prefix ${name ?? ''}/default/ --follow${inRegion}`;
    },
    close: async () => {
      client.destroy();
      once.destroy();
    },
  };
}

/** Of a definition by name, `name:revision` or ARN. */
function nameOf(definition: string): string {
  return definition.replace(/^arn:.*?job-definition\//, '').replace(/:\d+$/, '');
}
