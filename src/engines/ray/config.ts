import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describeError, EmbatchError } from '../../core/errors.js';
import { parseSize } from '../../core/units.js';
import type { EngineContext } from '../context.js';

export interface RayOptions {
  /** By default RAY_API_SERVER_ADDRESS, as for Ray's own tools. */
  readonly address: string | undefined;
  /** What starts embatch on the nodes, for their shell. */
  readonly entrypoint: string | undefined;
  readonly cpu: string | undefined;
  readonly memory: string | undefined;
  /** Milliseconds; Ray has no such limit. */
  readonly timeout?: number | undefined;
}

export interface RayConfig {
  /** Without a final slash: `http://127.0.0.1:8265`. */
  readonly address: string;
  readonly token: string | undefined;
  readonly entrypoint: string;
  readonly cpus: number;
  readonly memoryBytes: number | undefined;
}

const DEFAULT_ENTRYPOINT = 'embatch';
/** Without any request Ray pins a job to the head node. One CPU is there on every node, so that no shard waits for ever. */
const DEFAULT_CPUS = 1;
const EXAMPLE = 'http://127.0.0.1:8265';

/** Error: USAGE. */
export async function readConfig(
  options: RayOptions,
  environment: EngineContext['environment'],
): Promise<RayConfig> {
  if (options.timeout !== undefined) {
    throw new EmbatchError(
      'USAGE',
      '--timeout: jobs of Ray have no time limit. Leave it out, and stop shards that take too long.',
    );
  }
  return {
    address: readAddress(options.address, environment['RAY_API_SERVER_ADDRESS']),
    token: await readToken(environment),
    entrypoint: readEntrypoint(options.entrypoint),
    cpus: readCpus(options.cpu),
    memoryBytes: readMemory(options.memory),
  };
}

function readAddress(option: string | undefined, variable: string | undefined): string {
  const [from, value] = option === undefined ? ['RAY_API_SERVER_ADDRESS', variable] : ['--address', option];
  if (value === undefined || value === '') {
    throw new EmbatchError(
      'USAGE',
      `--address is missing: give the address of the Ray dashboard, such as ${EXAMPLE}, here or in RAY_API_SERVER_ADDRESS.`,
    );
  }
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new EmbatchError(
      'USAGE',
      `${from} is "${value}", which is no http:// or https:// address. Give that of the dashboard, such as ${EXAMPLE}; ray:// and the port of the head node are for other clients.`,
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw new EmbatchError(
      'USAGE',
      `${from} has a user in it, which would end in logs. Give the address alone, and a token in RAY_AUTH_TOKEN.`,
    );
  }
  if (url.search !== '' || url.hash !== '') {
    throw new EmbatchError(
      'USAGE',
      `${from} is "${value}": leave out what begins with ${url.search === '' ? '#' : '?'}.`,
    );
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

/** In the order in which Ray's own clients look for it; undefined where there is none. */
async function readToken(environment: EngineContext['environment']): Promise<string | undefined> {
  const token = environment['RAY_AUTH_TOKEN']?.trim();
  if (token !== undefined && token !== '') return checkToken(token, 'RAY_AUTH_TOKEN');
  const named = environment['RAY_AUTH_TOKEN_PATH'];
  if (named !== undefined && named !== '') return readTokenFile(named, 'RAY_AUTH_TOKEN_PATH');
  if (environment['RAY_AUTH_MODE'] !== 'token') return undefined;
  return readTokenFile(
    join(environment['HOME'] ?? homedir(), '.ray', 'auth_token'),
    'RAY_AUTH_MODE is token, and',
  );
}

async function readTokenFile(path: string, from: string): Promise<string> {
  let text;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new EmbatchError(
      'USAGE',
      `${from} ${path} cannot be read: ${describeError(error)}. Put the token of the cluster there, or in RAY_AUTH_TOKEN.`,
      { cause: error },
    );
  }
  return checkToken(text.trim(), path);
}

/** It is sent as a header: what cannot stand in one is no token, and is not shown. */
function checkToken(token: string, from: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new EmbatchError(
    'USAGE',
    `${from} holds no token: it is empty, or has spaces or odd characters in it.`,
  );
}

function readEntrypoint(option: string | undefined): string {
  const entrypoint = (option ?? DEFAULT_ENTRYPOINT).trim();
  if (entrypoint !== '' && !/[\r\n]/.test(entrypoint)) return entrypoint;
  throw new EmbatchError(
    'USAGE',
    '--entrypoint must be one line, such as "node /opt/embatch/dist/cli/main.js": what starts embatch on the nodes.',
  );
}

function readCpus(option: string | undefined): number {
  const cpus = option === undefined ? DEFAULT_CPUS : Number(option);
  if (Number.isFinite(cpus) && cpus > 0) return cpus;
  throw new EmbatchError(
    'USAGE',
    `--cpu is "${String(option)}": Ray takes a number of CPUs above 0, such as 4 or 0.5.`,
  );
}

function readMemory(option: string | undefined): number | undefined {
  const bytes = option === undefined ? undefined : parseSize(option);
  if (option === undefined || (bytes !== undefined && bytes > 0)) return bytes;
  throw new EmbatchError('USAGE', `--memory is "${option}": give a size above 0, such as 4GiB.`);
}
