import { EmbatchError } from '../../core/errors.js';
import type { Options } from '../../core/options.js';
import { cpuQuantity, memoryQuantity } from './quantities.js';
import { checkSchedule } from './schedule.js';

/** The options of this engine, checked and in the words of Kubernetes. */
export interface KubernetesSettings {
  readonly image: string;
  /** undefined where the kubeconfig decides. */
  readonly namespace: string | undefined;
  readonly cpu: string | undefined;
  readonly memory: string | undefined;
  readonly serviceAccount: string | undefined;
  readonly secrets: readonly string[];
  /** undefined: all shards at once. */
  readonly parallelism: number | undefined;
  readonly schedule: string | undefined;
  readonly retries: number;
  /** Of one shard. */
  readonly timeoutMs: number | undefined;
  /** The fleet will be followed to its end. */
  readonly wait: boolean;
}

/** Error: USAGE. */
export function kubernetesSettings(options: Options): KubernetesSettings {
  const { namespace, cpu, memory, serviceAccount, secrets, schedule, wait } = options;
  if (namespace !== undefined) checkName('--namespace', namespace, dnsLabel);
  if (serviceAccount !== undefined) checkName('--service-account', serviceAccount, dnsSubdomain);
  for (const secret of secrets) checkName('--secrets', secret, dnsSubdomain);
  if (schedule !== undefined) checkSchedule(schedule);
  if (schedule !== undefined && wait) {
    throw new EmbatchError(
      'USAGE',
      '--wait follows a fleet to its end, and a --schedule has none; leave one out.',
    );
  }
  return {
    image: imageOf(options.image),
    namespace,
    cpu: cpu === undefined ? undefined : cpuQuantity(cpu),
    memory: memory === undefined ? undefined : memoryQuantity(memory),
    serviceAccount,
    secrets: [...new Set(secrets)],
    parallelism: options.parallelism,
    schedule: schedule?.trim(),
    retries: options.retries,
    timeoutMs: options.timeout,
    wait,
  };
}

function imageOf(image: string | undefined): string {
  if (image === undefined) {
    throw new EmbatchError(
      'USAGE',
      'submit kubernetes needs --image: the container image of embatch, by tag or digest, as the nodes pull it.',
    );
  }
  if (!/^[^\s:/@][^\s]*$/.test(image)) {
    throw new EmbatchError(
      'USAGE',
      `--image "${image}" is no reference of an image, such as registry/embatch:1.`,
    );
  }
  return image;
}

interface NameRule {
  readonly pattern: RegExp;
  readonly maxLength: number;
  readonly words: string;
}

/** RFC 1123, as the API server has it. */
const dnsLabel: NameRule = {
  pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
  maxLength: 63,
  words: 'lower-case letters, digits and dashes',
};
const dnsSubdomain: NameRule = {
  pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
  maxLength: 253,
  words: 'lower-case letters, digits, dashes and dots',
};

function checkName(flag: string, name: string, { pattern, maxLength, words }: NameRule): void {
  if (pattern.test(name) && name.length <= maxLength) return;
  throw new EmbatchError(
    'USAGE',
    `${flag} "${name}" is no name of Kubernetes: ${words}, at most ${maxLength}, beginning and ending with a letter or digit.`,
  );
}
