import { EmbatchError } from '../../core/errors.js';
import type { Options } from '../../core/options.js';
import { checkRole, MAX_TAG_VALUE, readTags } from '../aws-options.js';
import { parseSize } from '../../core/units.js';

export type AwsBatchOptions = Pick<
  Options,
  'queue' | 'jobDefinition' | 'image' | 'role' | 'cpu' | 'memory' | 'retries' | 'timeout' | 'tags'
>;

/** The job definition that the user made, or what ours is made of. */
export type DefinitionChoice =
  | { readonly kind: 'given'; readonly name: string }
  | {
      readonly kind: 'own';
      readonly image: string;
      readonly role: string | undefined;
      readonly vcpus: number;
      readonly memoryMiB: number;
    };

/** What every job of this engine is made with, checked. */
export interface AwsBatchConfig {
  readonly queue: string;
  readonly definition: DefinitionChoice;
  /** As given: takes the place of what a definition of the user's says. */
  readonly vcpus: number | undefined;
  readonly memoryMiB: number | undefined;
  readonly attempts: number;
  readonly timeoutSeconds: number | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

/** Of a definition of ours: a worker for each CPU and room for a sink. */
const DEFAULT_VCPUS = 4;
const DEFAULT_MEMORY_MIB = 8192;

// Source of all limits: the service's own model, API version 2016-08-10, and "Service quotas" of its user guide.
const MIN_MEMORY_MIB = 4;
/** Source, sink and state. */
const OWN_TAGS = 3;

const usage = (message: string): EmbatchError => new EmbatchError('USAGE', `${message}.`);

/** Error: USAGE for what is missing or what Batch would refuse. */
export function readConfig(options: AwsBatchOptions): AwsBatchConfig {
  if (options.queue === undefined) throw usage('AWS Batch needs --queue: a job queue, by name or ARN');
  const vcpus = vcpusOf(options.cpu);
  const memoryMiB = memoryOf(options.memory);
  return {
    queue: options.queue,
    definition: definitionOf(options, vcpus, memoryMiB),
    vcpus,
    memoryMiB,
    attempts: options.retries + 1,
    timeoutSeconds: options.timeout === undefined ? undefined : Math.ceil(options.timeout / 1000),
    tags: Object.fromEntries(readTags(options.tags, OWN_TAGS)),
  };
}

function definitionOf(
  { jobDefinition, image, role }: AwsBatchOptions,
  vcpus: number | undefined,
  memoryMiB: number | undefined,
): DefinitionChoice {
  if (jobDefinition !== undefined) {
    const twin = image === undefined ? (role === undefined ? undefined : '--role') : '--image';
    if (twin !== undefined) {
      throw usage(
        `${twin} and --job-definition exclude each other: image and role are what a job definition says. ` +
          'Give --image without --job-definition, and one is made',
      );
    }
    return { kind: 'given', name: jobDefinition };
  }
  if (image === undefined) {
    throw usage(
      'AWS Batch needs --image, the image of embatch in a registry, or --job-definition with one that you made',
    );
  }
  if (/\s/.test(image)) throw usage(`--image must be a reference without spaces, not "${image}"`);
  if (role !== undefined) checkRole(role);
  if (vcpus !== undefined && !Number.isInteger(vcpus)) {
    throw usage(
      `--cpu ${vcpus} is for Fargate, and the definition that is made of --image is for EC2: make one for Fargate and ` +
        'name it with --job-definition',
    );
  }
  return {
    kind: 'own',
    image,
    role,
    vcpus: vcpus ?? DEFAULT_VCPUS,
    memoryMiB: memoryMiB ?? DEFAULT_MEMORY_MIB,
  };
}

/** Fargate takes quarters and halves, EC2 whole ones. */
function vcpusOf(cpu: string | undefined): number | undefined {
  if (cpu === undefined) return undefined;
  const vcpus = Number(cpu);
  if ((Number.isInteger(vcpus) && vcpus > 0) || vcpus === 0.25 || vcpus === 0.5) return vcpus;
  throw usage(`--cpu is "${cpu}": AWS Batch takes a whole number of vCPUs, and on Fargate 0.25 and 0.5 too`);
}

function memoryOf(memory: string | undefined): number | undefined {
  if (memory === undefined) return undefined;
  const bytes = parseSize(memory);
  const mebibytes = bytes === undefined ? undefined : Math.ceil(bytes / 2 ** 20);
  if (mebibytes !== undefined && mebibytes >= MIN_MEMORY_MIB) return mebibytes;
  throw usage(`--memory is "${memory}": give a size of at least ${MIN_MEMORY_MIB}MiB, such as 8GiB`);
}

/** For people who find the job in the console. What may not be in a tag becomes `_`. */
export function labelTags(labels: {
  readonly source: string;
  readonly sink: string;
  readonly state: string;
}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).map(([name, label]) => [
      `embatch-${name}`,
      label.replace(/[^\p{L}\p{Z}\p{N}_.:/=+\-@]/gu, '_').slice(0, MAX_TAG_VALUE),
    ]),
  );
}
