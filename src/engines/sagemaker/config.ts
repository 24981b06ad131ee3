import { EmbatchError } from '../../core/errors.js';
import type { Options } from '../../core/options.js';
import { checkRole, readTags } from '../aws-options.js';

export type SageMakerOptions = Pick<
  Options,
  'image' | 'role' | 'instanceType' | 'volumeGb' | 'subnets' | 'securityGroups' | 'tags' | 'timeout'
>;

/** What every job of this engine is made with, checked. */
export interface SageMakerConfig {
  readonly image: string;
  readonly role: string;
  readonly instanceType: string;
  readonly volumeGb: number;
  readonly subnets: readonly string[];
  readonly securityGroups: readonly string[];
  readonly tags: readonly { readonly Key: string; readonly Value: string }[];
  readonly maxRuntimeSeconds: number | undefined;
}

// Source of all limits: the service's own model, API version 2017-07-24.
const MAX_IMAGE = 255;
const MAX_SUBNETS = 16;
const MAX_SECURITY_GROUPS = 5;
const MAX_VPC_ID = 32;
const MAX_RUNTIME_SECONDS = 777_600;

/** Error: USAGE for what is missing or what SageMaker would refuse. */
export function readConfig(options: SageMakerOptions): SageMakerConfig {
  const { subnets, securityGroups, instanceType, volumeGb } = options;
  if ((subnets.length === 0) !== (securityGroups.length === 0)) {
    const [given, missing] =
      subnets.length === 0 ? ['--security-groups', '--subnets'] : ['--subnets', '--security-groups'];
    throw usage(`${given} goes with ${missing}: give both to run in a VPC, or neither`);
  }
  if (!/^ml\.[a-z0-9-]+\.[a-z0-9]+$/.test(instanceType)) {
    throw usage(`--instance-type must be a SageMaker type such as ml.c7i.4xlarge, not "${instanceType}"`);
  }
  return {
    image: imageOf(options.image),
    role: roleOf(options.role),
    instanceType,
    volumeGb,
    subnets: vpcIds('--subnets', subnets, MAX_SUBNETS),
    securityGroups: vpcIds('--security-groups', securityGroups, MAX_SECURITY_GROUPS),
    tags: [...readTags(options.tags)].map(([Key, Value]) => ({ Key, Value })),
    maxRuntimeSeconds: maxRuntimeOf(options.timeout),
  };
}

const usage = (message: string): EmbatchError => new EmbatchError('USAGE', `${message}.`);

function imageOf(image: string | undefined): string {
  if (image === undefined) {
    throw usage('SageMaker needs --image: the image of embatch in Amazon ECR, in the region of the job');
  }
  if (image.length > MAX_IMAGE || /[\r\n]/.test(image)) {
    throw usage(`--image has ${image.length} characters; SageMaker takes one line of at most ${MAX_IMAGE}`);
  }
  return image;
}

function roleOf(role: string | undefined): string {
  if (role === undefined) {
    throw usage('SageMaker needs --role: the ARN of the IAM role that the containers work with');
  }
  return checkRole(role);
}

function vpcIds(flag: string, ids: readonly string[], most: number): readonly string[] {
  if (ids.length > most) throw usage(`${flag} names ${ids.length}; SageMaker takes at most ${most}`);
  const wrong = ids.find((id) => id.length > MAX_VPC_ID || !/^[-0-9a-zA-Z]+$/.test(id));
  if (wrong !== undefined) throw usage(`${flag}: "${wrong}" is no id such as subnet-0123abcd or sg-0123abcd`);
  return ids;
}

function maxRuntimeOf(timeoutMs: number | undefined): number | undefined {
  if (timeoutMs === undefined) return undefined;
  const seconds = Math.ceil(timeoutMs / 1000);
  if (seconds > MAX_RUNTIME_SECONDS) {
    throw usage(
      `--timeout is ${seconds} s; a processing job may take at most ${MAX_RUNTIME_SECONDS} s (9 days)`,
    );
  }
  return seconds;
}
