import type {
  EvaluateOnExit,
  RegisterJobDefinitionRequest,
  ResourceRequirement,
  SubmitJobRequest,
} from '@aws-sdk/client-batch';
import { EmbatchError } from '../../core/errors.js';
import { exitCodes } from '../../core/exit-codes.js';
import type { EngineRequest, Fleet } from '../engine.js';
import { labelTags, type AwsBatchConfig } from './config.js';
import { ownDefinition } from './definition.js';

/** Children of one array. */
export const MAX_SHARDS = 10_000;
const MAX_BODY_BYTES = 30 * 1024;
const RESERVED_PREFIX = 'AWS_BATCH';

/**
 * Which ends of a container are worth another attempt. The first that fits decides, and what fits none is tried again:
 * 1, 21, 23, 24, a kill for lack of memory, a signal. At most five are allowed. An exit code with a star stands for all
 * that begin so.
 */
const evaluateOnExit: EvaluateOnExit[] = [
  // The host went away, as spot instances do.
  { onStatusReason: 'Host EC2*', action: 'RETRY' },
  { onExitCode: String(exitCodes.usage), action: 'EXIT' },
  { onExitCode: String(exitCodes.model), action: 'EXIT' },
  { onExitCode: String(exitCodes.deadLetters), action: 'EXIT' },
  // 126 and 127: the image has no such program.
  { onExitCode: '12*', action: 'EXIT' },
];

/** An array job; for one shard a plain job, since an array has at least two. Error: USAGE. */
export function submitJobRequest(fleet: Fleet, config: AwsBatchConfig): SubmitJobRequest {
  const { shards, name } = fleet;
  if (shards > MAX_SHARDS) {
    throw new EmbatchError(
      'USAGE',
      `--shards ${shards}: an array job of AWS Batch has at most ${MAX_SHARDS}.`,
    );
  }
  const { definition, queue, timeoutSeconds } = config;
  const request: SubmitJobRequest = {
    jobName: name,
    jobQueue: queue,
    jobDefinition:
      definition.kind === 'given' ? definition.name : ownDefinition(definition).jobDefinitionName,
    ...(shards > 1 ? { arrayProperties: { size: shards } } : {}),
    containerOverrides: {
      command: [...fleet.arguments],
      environment: environmentOf(fleet, config),
      ...overriddenResources(config),
    },
    retryStrategy: { attempts: config.attempts, evaluateOnExit },
    ...(timeoutSeconds === undefined ? {} : { timeout: { attemptDurationSeconds: timeoutSeconds } }),
    tags: { ...labelTags(fleet.labels), ...config.tags },
    propagateTags: true,
  };
  refuseLargeBody(request);
  return request;
}

export function printedRequests(fleet: Fleet, config: AwsBatchConfig): EngineRequest[] {
  const { definition } = config;
  const submit = { call: 'SubmitJob', body: { ...submitJobRequest(fleet, config) } };
  if (definition.kind === 'given') return [submit];
  const register: RegisterJobDefinitionRequest = ownDefinition(definition);
  return [{ call: 'RegisterJobDefinition', body: { ...register } }, submit];
}

function environmentOf(
  { shards, environment }: Fleet,
  config: AwsBatchConfig,
): { name: string; value: string }[] {
  const reserved = Object.keys(environment).find((name) => name.startsWith(RESERVED_PREFIX));
  if (reserved !== undefined) {
    throw new EmbatchError(
      'USAGE',
      `${reserved} cannot be passed on: AWS Batch keeps ${RESERVED_PREFIX}* for itself.`,
    );
  }
  const vcpus = config.vcpus ?? (config.definition.kind === 'own' ? config.definition.vcpus : undefined);
  const variables = {
    // On EC2 the vCPUs of a job are a share and no limit: left alone, each shard takes all CPUs of its host.
    ...(vcpus === undefined ? {} : { EMBATCH_WORKERS: String(Math.max(1, Math.floor(vcpus))) }),
    ...environment,
    // Batch tells a child of an array its index, and a plain job nothing.
    ...(shards === 1 ? { EMBATCH_SHARD: '0' } : {}),
  };
  return Object.entries(variables)
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A definition of ours says them itself. */
function overriddenResources({ definition, vcpus, memoryMiB }: AwsBatchConfig): {
  resourceRequirements?: ResourceRequirement[];
} {
  if (definition.kind === 'own') return {};
  const resourceRequirements: ResourceRequirement[] = [
    ...(vcpus === undefined ? [] : [{ type: 'VCPU' as const, value: String(vcpus) }]),
    ...(memoryMiB === undefined ? [] : [{ type: 'MEMORY' as const, value: String(memoryMiB) }]),
  ];
  return resourceRequirements.length === 0 ? {} : { resourceRequirements };
}

function refuseLargeBody(request: SubmitJobRequest): void {
  const bytes = Buffer.byteLength(JSON.stringify(request));
  if (bytes <= MAX_BODY_BYTES) return;
  throw new EmbatchError(
    'USAGE',
    `the request is ${bytes} bytes long and AWS Batch takes at most ${MAX_BODY_BYTES}: put the options into a job file in S3, --config s3://….`,
  );
}
