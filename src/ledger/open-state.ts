import { EmbatchError } from '../core/errors.js';
import { parseS3Uri } from '../core/s3.js';
import type { StateStore } from '../core/interfaces.js';
import { createFileState } from './file-state.js';

/** The state in a folder or below `s3://bucket/prefix`. Touches nothing yet. Error: USAGE. */
export async function openState(uri: string): Promise<StateStore> {
  const location = parseS3Uri(uri);
  if (location !== undefined) {
    const { createS3State } = await import('./s3-state.js');
    return createS3State(location);
  }
  if (uri === '' || uri.includes('://')) {
    throw new EmbatchError(
      'USAGE',
      `--state ${JSON.stringify(uri)} is neither a folder nor s3://BUCKET/PREFIX`,
    );
  }
  return createFileState(uri);
}
