import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './paths.js';

/** The folder of large test data beside the project; undefined where it is not there. */
export function sharedFolder(): string | undefined {
  const folder = join(projectRoot, '..', 'shared');
  return existsSync(folder) ? folder : undefined;
}
