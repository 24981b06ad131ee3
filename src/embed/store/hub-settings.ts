import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { EmbatchError, describeError } from '../../core/errors.js';
import { redactUri } from '../../core/redact.js';
import { userCacheFolder } from './cache-folder.js';

/** What the variables of the Hugging Face tools say. Source: huggingface_hub, "Environment variables". */
export interface HubSettings {
  /** Without a final slash. */
  readonly endpoint: string;
  /** Absolute: holds one folder for each model. */
  readonly cacheFolder: string;
  /** Never logged, and sent to the endpoint only. */
  readonly token: string | undefined;
  readonly offline: boolean;
  /** A connection that is silent for so long is given up. */
  readonly idleTimeoutMs: number;
}

const DEFAULT_ENDPOINT = 'https://huggingface.co';
const DEFAULT_IDLE_TIMEOUT_MS = 30_000;

/** Error: USAGE for a variable that makes no sense. */
export async function readHubSettings(env: NodeJS.ProcessEnv = process.env): Promise<HubSettings> {
  return {
    endpoint: endpoint(env),
    cacheFolder: hubCacheFolder(env),
    token: await token(env),
    offline: isTrue(given(env, 'HF_HUB_OFFLINE') ?? given(env, 'TRANSFORMERS_OFFLINE')),
    idleTimeoutMs: idleTimeoutMs(env),
  };
}

export function hubCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const named = given(env, 'HF_HUB_CACHE') ?? given(env, 'HUGGINGFACE_HUB_CACHE');
  return resolve(named === undefined ? join(hubHome(env), 'hub') : expanded(named, env));
}

function hubHome(env: NodeJS.ProcessEnv): string {
  const home = given(env, 'HF_HOME');
  return home === undefined ? join(userCacheFolder(env), 'huggingface') : expanded(home, env);
}

function endpoint(env: NodeJS.ProcessEnv): string {
  const value = given(env, 'HF_ENDPOINT') ?? DEFAULT_ENDPOINT;
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const isPlain = url?.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (!isPlain || !/^https?:$/.test(url.protocol)) {
    throw new EmbatchError(
      'USAGE',
      `HF_ENDPOINT must be a URL such as ${DEFAULT_ENDPOINT}, without user and password, not "${redactUri(value)}".`,
    );
  }
  return value.replace(/\/+$/, '');
}

async function token(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  if (isTrue(env['HF_HUB_DISABLE_IMPLICIT_TOKEN'])) return undefined;
  const variable = ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN'].find((name) => env[name]?.trim());
  if (variable !== undefined) return checkedToken(env[variable] ?? '', variable);
  const path = given(env, 'HF_TOKEN_PATH');
  const file = path === undefined ? join(hubHome(env), 'token') : expanded(path, env);
  try {
    return checkedToken(await readFile(file, 'utf8'), file);
  } catch (error) {
    // Nobody has logged in; or it is another user's file, and the model may be public.
    if (error instanceof EmbatchError) throw error;
    if (path === undefined) return undefined;
    throw new EmbatchError(
      'USAGE',
      `HF_TOKEN_PATH names a file that cannot be read: ${describeError(error)}.`,
      {
        cause: error,
      },
    );
  }
}

/** What is no header value is refused here, without showing it: `fetch` would print it. */
function checkedToken(text: string, origin: string): string | undefined {
  const value = text.trim();
  if (/^[\x21-\x7e]*$/.test(value)) return value === '' ? undefined : value;
  throw new EmbatchError(
    'USAGE',
    `${origin} holds characters that are in no token of the hub: set it anew, without quotes or line breaks.`,
  );
}

function idleTimeoutMs(env: NodeJS.ProcessEnv): number {
  const value = given(env, 'HF_HUB_DOWNLOAD_TIMEOUT');
  if (value === undefined) return DEFAULT_IDLE_TIMEOUT_MS;
  const seconds = Number(value);
  if (seconds > 0 && Number.isFinite(seconds)) return seconds * 1000;
  throw new EmbatchError('USAGE', `HF_HUB_DOWNLOAD_TIMEOUT must be a number of seconds, not "${value}".`);
}

/** Empty counts as not given, as in a shell script that clears a variable. */
function given(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const value = env[name];
  return value === undefined || value === '' ? undefined : value;
}

function isTrue(value: string | undefined): boolean {
  return ['1', 'ON', 'YES', 'TRUE'].includes((value ?? '').trim().toUpperCase());
}

/** `~` and `$VARIABLE`, which the Python tools expand too. */
function expanded(path: string, env: NodeJS.ProcessEnv): string {
  return path
    .replace(/^~(?=$|[/\\])/, () => homedir())
    .replace(
      /\$(?:(\w+)|\{(\w+)\})/g,
      (whole, bare?: string, braced?: string) => env[bare ?? braced ?? ''] ?? whole,
    );
}
