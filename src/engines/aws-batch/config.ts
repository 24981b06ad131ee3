import { EmbatchError } from '../../core/errors.js';
import type { Options } from '../../core/options.js';
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
const MAX_TAGS = 50;
const MAX_TAG_KEY = 128;
const MAX_TAG_VALUE = 256;
const tagPattern = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
const rolePattern = /^arn:aws[a-z-]*:iam::\d{12}:role\/?[a-zA-Z_0-9+=,.@\-_/]+$/;

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
    tags: tagsOf(options.tags),
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
  if (role !== undefined && !rolePattern.test(role)) {
    throw usage(`--role must be an ARN such as arn:aws:iam::123456789012:role/embatch, not "${role}"`);
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

function tagsOf(texts: readonly string[]): Readonly<Record<string, string>> {
  const tags = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf('=');
    const [key, value] = [text.slice(0, at), text.slice(at + 1)];
    if (at < 1) throw usage(`--tags takes key=value, not "${text}"`);
    if (tags.has(key)) throw usage(`--tags names ${key} twice`);
    if (key.length > MAX_TAG_KEY || value.length > MAX_TAG_VALUE) {
      throw usage(
        `--tags ${key}: a key has at most ${MAX_TAG_KEY} characters and a value ${MAX_TAG_VALUE}; ` +
          `these have ${key.length} and ${value.length}`,
      );
    }
    if (!tagPattern.test(key) || !tagPattern.test(value)) {
      throw usage(`--tags "${text}": only letters, digits, spaces and _.:/=+-@ may be in a tag`);
    }
    if (/^aws:/i.test(key)) throw usage(`--tags ${key}: keys that begin with aws: are Amazon's own`);
    tags.set(key, value);
  }
  if (tags.size + Object.keys(labelTags({ source: '', sink: '', state: '' })).length > MAX_TAGS) {
    throw usage(`--tags names ${tags.size}; with those of embatch a job has at most ${MAX_TAGS}`);
  }
  return Object.fromEntries(tags);
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
