import type { CreateProcessingJobRequest } from '@aws-sdk/client-sagemaker';
import { EmbatchError } from '../../core/errors.js';
import type { Fleet } from '../engine.js';
import type { SageMakerConfig } from './config.js';

/** Instances of one job; the quota of an account is often lower. Source: the service's own model. */
export const MAX_INSTANCES = 100;
const MAX_NAME = 63;
const MAX_VALUE = 256;
const MAX_VARIABLES = 100;
const MAX_ARGUMENTS = 100;
const MAX_S3_URI = 1024;
const namePattern = /^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$/;
const variablePattern = /^[a-zA-Z_][a-zA-Z0-9_]{0,255}$/;

export function refusesValue(value: string): string | undefined {
  return value.length > MAX_VALUE
    ? `longer than the ${MAX_VALUE} characters of a variable in SageMaker`
    : undefined;
}

/** What `CreateProcessingJob` is sent. Error: USAGE for what SageMaker would refuse. */
export function processingJob(fleet: Fleet, config: SageMakerConfig): CreateProcessingJobRequest {
  checkFleet(fleet);
  const { tags, subnets, securityGroups, maxRuntimeSeconds } = config;
  const inputs = declaredInputs(fleet.labels.source);
  return {
    ProcessingJobName: fleet.name,
    RoleArn: config.role,
    AppSpecification: { ImageUri: config.image, ContainerArguments: [...fleet.arguments] },
    Environment: { ...fleet.environment },
    ProcessingResources: {
      ClusterConfig: {
        InstanceCount: fleet.shards,
        InstanceType: config.instanceType as ProcessingInstanceType,
        VolumeSizeInGB: config.volumeGb,
      },
    },
    ...(inputs.length === 0 ? {} : { ProcessingInputs: inputs }),
    ...(subnets.length === 0
      ? {}
      : { NetworkConfig: { VpcConfig: { SecurityGroupIds: [...securityGroups], Subnets: [...subnets] } } }),
    ...(maxRuntimeSeconds === undefined
      ? {}
      : { StoppingCondition: { MaxRuntimeInSeconds: maxRuntimeSeconds } }),
    ...(tags.length === 0 ? {} : { Tags: [...tags] }),
  };
}

/** Types that are newer than the client are for the service to know. */
type ProcessingInstanceType = NonNullable<
  NonNullable<CreateProcessingJobRequest['ProcessingResources']>['ClusterConfig']
>['InstanceType'];

/** For lineage only: with `AppManaged`, SageMaker copies nothing, and each shard lists and reads its own keys. */
function declaredInputs(source: string): NonNullable<CreateProcessingJobRequest['ProcessingInputs']> {
  if (!source.startsWith('s3://') || source.length > MAX_S3_URI) return [];
  return [
    {
      InputName: 'source',
      AppManaged: true,
      S3Input: { S3Uri: source, S3DataType: 'S3Prefix' },
    },
  ];
}

function checkFleet({ name, shards, arguments: words, environment }: Fleet): void {
  const usage = (message: string): EmbatchError => new EmbatchError('USAGE', `${message}.`);
  if (name.length > MAX_NAME || !namePattern.test(name)) {
    throw usage(
      `a processing job has a name of letters, digits and dashes, at most ${MAX_NAME} characters, not "${name}"`,
    );
  }
  if (!Number.isInteger(shards) || shards < 1 || shards > MAX_INSTANCES) {
    throw usage(`--shards is ${shards}; a processing job has 1 to ${MAX_INSTANCES} instances`);
  }
  const variables = Object.entries(environment);
  if (variables.length > MAX_VARIABLES) {
    throw usage(
      `${variables.length} variables are needed; a processing job takes ${MAX_VARIABLES}. Put options into a job file (--config)`,
    );
  }
  for (const [variable, value] of variables) {
    if (!variablePattern.test(variable)) throw usage(`"${variable}" is no name of a variable for SageMaker`);
    const refusal = refusesValue(value);
    if (refusal !== undefined) throw usage(`${variable} is ${refusal}: it has ${value.length}`);
  }
  const wrong = words.find((word) => word.length > MAX_VALUE || /[\r\n]/.test(word));
  if (words.length > MAX_ARGUMENTS || wrong !== undefined) {
    throw usage(
      `arguments of a processing job are at most ${MAX_ARGUMENTS} of one line and ${MAX_VALUE} characters each`,
    );
  }
}
