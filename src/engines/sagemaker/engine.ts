import type { DescribeProcessingJobResponse, SageMakerClient } from '@aws-sdk/client-sagemaker';
import { EmbatchError } from '../../core/errors.js';
import type { Abortable } from '../../core/interfaces.js';
import { awsClientSettings } from '../aws-client.js';
import { awsErrorName, awsFailure } from '../aws-failure.js';
import type { EngineContext } from '../context.js';
import type { Engine, Fleet, FleetRef } from '../engine.js';
import { readConfig, type SageMakerOptions } from './config.js';
import { fleetState } from './job-state.js';
import { toSend } from '../aws-options.js';
import { MAX_INSTANCES, processingJob, refusesValue } from './request.js';

/** Where SageMaker puts the logs of all processing jobs. Source: SageMaker developer guide, "Log groups and streams". */
const LOG_GROUP = '/aws/sagemaker/ProcessingJobs';

/**
 * One SageMaker processing job with one instance for each shard; a shard is the place of its host in resourceconfig.json.
 * Nothing is started again by SageMaker: one container that ends with another code than 0 makes the job fail when all
 * have ended. Error: USAGE for options.
 */
export async function createSageMakerEngine(
  options: SageMakerOptions,
  { environment }: EngineContext,
): Promise<Engine> {
  const config = readConfig(options);
  const { SageMakerClient } = await import('@aws-sdk/client-sagemaker');
  const client = new SageMakerClient(await awsClientSettings('SAGEMAKER', environment));
  const region = await client.config.region().catch(() => undefined);
  const place = region === undefined ? 'SageMaker' : `SageMaker in ${region}`;
  return {
    name: 'sagemaker',
    place,
    maxShards: MAX_INSTANCES,
    format: 'json',
    onlyZeroSucceeds: true,
    refusesValue,
    requests: (fleet) => [{ call: 'CreateProcessingJob', body: { ...processingJob(fleet, config) } }],
    async submit(fleet, abortable = {}) {
      const request = processingJob(fleet, config);
      const { CreateProcessingJobCommand } = await import('@aws-sdk/client-sagemaker');
      try {
        const answer = await client.send(new CreateProcessingJobCommand(request), toSend(abortable));
        return answer.ProcessingJobArn;
      } catch (error) {
        abortable.signal?.throwIfAborted();
        const own = await ownDespite(client, fleet, error, abortable);
        if (own !== undefined) return own;
        throw refusal(error, fleet.name, place);
      }
    },
    async state(fleet, abortable = {}) {
      const job = await describe(client, fleet, place, abortable);
      return job === undefined ? undefined : fleetState(job);
    },
    async stop(fleet, abortable = {}) {
      const { StopProcessingJobCommand } = await import('@aws-sdk/client-sagemaker');
      const command = new StopProcessingJobCommand({ ProcessingJobName: fleet.name });
      try {
        await client.send(command, toSend(abortable));
      } catch (error) {
        abortable.signal?.throwIfAborted();
        // A job that has ended, or was never there, is refused.
        const job = isNotFound(error) ? undefined : await describe(client, fleet, place, abortable);
        if (job?.ProcessingJobStatus === 'InProgress') {
          throw awsFailure(error, `${place} did not stop the processing job "${fleet.name}"`);
        }
      }
    },
    logsOf: ({ name }) =>
      `aws logs tail ${LOG_GROUP} --log-stream-name-prefix ${name}/ --follow` +
      (region === undefined ? '' : ` --region ${region}`),
    close: async () => {
      client.destroy();
    },
  };
}

/** The service's model promises the first, the service answers with the second as well. */
function isNotFound(error: unknown): boolean {
  const name = awsErrorName(error);
  if (name === 'ResourceNotFound') return true;
  return name === 'ValidationException' && error instanceof Error && /could not find/i.test(error.message);
}

async function describe(
  client: SageMakerClient,
  { name }: Pick<FleetRef, 'name'>,
  place: string,
  abortable: Abortable,
): Promise<DescribeProcessingJobResponse | undefined> {
  const { DescribeProcessingJobCommand } = await import('@aws-sdk/client-sagemaker');
  try {
    return await client.send(
      new DescribeProcessingJobCommand({ ProcessingJobName: name }),
      toSend(abortable),
    );
  } catch (error) {
    abortable.signal?.throwIfAborted();
    if (isNotFound(error)) return undefined;
    throw awsFailure(error, `${place} does not tell of the processing job "${name}"`);
  }
}

/**
 * The client sends a request again whose answer got lost, and its own job is then in its way. Gives that job's ARN;
 * undefined where the name was taken by another, or where the error is another one.
 */
async function ownDespite(
  client: SageMakerClient,
  fleet: Fleet,
  error: unknown,
  abortable: Abortable,
): Promise<string | undefined> {
  if (awsErrorName(error) !== 'ResourceInUse' || attemptsOf(error) < 2) return undefined;
  const job = await describe(client, fleet, '', abortable).catch(() => undefined);
  const isOwn =
    job?.ProcessingJobStatus === 'InProgress' &&
    JSON.stringify(sorted(job.Environment)) === JSON.stringify(sorted(fleet.environment));
  return isOwn ? job.ProcessingJobArn : undefined;
}

/** Requests that were sent for one call. */
function attemptsOf(error: unknown): number {
  if (!(error instanceof Error) || !('$metadata' in error)) return 1;
  // The SDK's own field.
  return (error.$metadata as { attempts?: number } | undefined)?.attempts ?? 1;
}

const sorted = (map: Readonly<Record<string, string>> = {}) =>
  Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));

function refusal(error: unknown, name: string, place: string): EmbatchError {
  switch (awsErrorName(error)) {
    case 'ResourceInUse':
      return new EmbatchError(
        'USAGE',
        `${place} has a processing job "${name}" already, and a name is never free again: see how it is with ` +
          '`embatch status`.',
        { cause: error },
      );
    case 'ResourceLimitExceeded':
      return new EmbatchError('USAGE', quotaMessage(error, place), { cause: error });
    default:
      return awsFailure(error, `${place} did not take the processing job "${name}"`);
  }
}

function quotaMessage(error: unknown, place: string): string {
  const words = error instanceof Error ? error.message.replace(/\s+/g, ' ').replace(/\.$/, '') : '';
  const quota = /'([^']+)'/.exec(words)?.[1];
  return (
    `${place} gives this account too little of ${quota === undefined ? 'something' : `the quota "${quota}"`}: ${words}. ` +
    'Ask for more in Service Quotas, or take fewer --shards or another --instance-type.'
  );
}
