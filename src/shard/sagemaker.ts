import { posix } from 'node:path';
import { EmbatchError } from '../core/errors.js';
import type { ReadText } from './detectors.js';

const RESOURCE_CONFIG = '/opt/ml/config/resourceconfig.json';
const PROCESSING_CONFIG = '/opt/ml/config/processingjobconfig.json';

/**
 * The place of this host among the hosts of a SageMaker job; undefined outside one. The list is in
 * lexicographic order, algo-10 before algo-2, so the number in a name is not a rank.
 */
export async function sagemakerHosts(
  readText: ReadText,
): Promise<{ index: number; count: number } | undefined> {
  const config = await readJson(RESOURCE_CONFIG, readText);
  if (config === undefined) return undefined;
  const { current_host: current, hosts } = config as { current_host?: unknown; hosts?: unknown };
  const index = Array.isArray(hosts) && typeof current === 'string' ? hosts.indexOf(current) : -1;
  if (index === -1 || !Array.isArray(hosts)) {
    throw new EmbatchError(
      'USAGE',
      `${RESOURCE_CONFIG} does not name current_host (${JSON.stringify(current)}) among hosts ` +
        `(${JSON.stringify(hosts)}). Give --shard and --shards.`,
    );
  }
  return { index, count: hosts.length };
}

/** An input that SageMaker Processing copied into the container. */
export interface CopiedInput {
  /** Where its files lie. */
  readonly localPath: string;
  /** Where the files below `path` came from, without a final slash. A manifest has no such place of its own. */
  readonly s3Uri: string | undefined;
  /** SageMaker gave this host only its share: the files are not sharded again. */
  readonly sharded: boolean;
}

/** The input of this SageMaker Processing job that holds a local path; undefined where none does. */
export async function copiedInput(path: string, readText: ReadText): Promise<CopiedInput | undefined> {
  const config = await readJson(PROCESSING_CONFIG, readText);
  const inputs = (config as { ProcessingInputs?: unknown } | undefined)?.ProcessingInputs;
  if (!Array.isArray(inputs)) return undefined;
  const wanted = posix.resolve(path);
  for (const input of inputs as readonly unknown[]) {
    const { S3Input } = (input ?? {}) as { S3Input?: Readonly<Record<string, unknown>> | null };
    const localPath = S3Input?.['LocalPath'];
    const s3Uri = S3Input?.['S3Uri'];
    if (typeof localPath !== 'string' || typeof s3Uri !== 'string') continue;
    const root = posix.resolve(localPath);
    const inside = posix.relative(root, wanted);
    if (inside === '..' || inside.startsWith('../')) continue;
    return {
      localPath: root,
      s3Uri:
        S3Input?.['S3DataType'] === 'ManifestFile'
          ? undefined
          : [s3Uri.replace(/\/+$/, ''), ...(inside === '' ? [] : [inside])].join('/'),
      sharded: S3Input?.['S3DataDistributionType'] === 'ShardedByS3Key',
    };
  }
  return undefined;
}

/** undefined where there is no such file. */
async function readJson(path: string, readText: ReadText): Promise<object | undefined> {
  const text = await readText(path);
  if (text === undefined) return undefined;
  try {
    const config: unknown = JSON.parse(text);
    if (typeof config === 'object' && config !== null) return config;
  } catch (error) {
    throw new EmbatchError('USAGE', `${path} is not JSON. Give --shard and --shards.`, { cause: error });
  }
  throw new EmbatchError('USAGE', `${path} holds no JSON object. Give --shard and --shards.`);
}
