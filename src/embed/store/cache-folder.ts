import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Where programs of this user keep what they can fetch again. Source: XDG Base Directory Specification. */
export function userCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const folder = env['XDG_CACHE_HOME'];
  // The specification: paths that are not absolute are to be ignored.
  return folder !== undefined && isAbsolute(folder) ? folder : join(homedir(), '.cache');
}

/** Our own cache of models from S3. */
export function s3CacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(userCacheFolder(env), 'embatch', 'models', 's3');
}
