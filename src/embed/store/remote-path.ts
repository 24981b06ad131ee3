import { EmbatchError } from '../../core/errors.js';

/**
 * Refuses paths of a remote listing that would leave the folder they are written to, or mean something else on
 * another system. Error: MODEL.
 *
 * @param origin what lists the path, for the message
 */
export function checkRemotePath(path: string, origin: string): void {
  const parts = path.split('/');
  const isSafe =
    parts.every((part) => part !== '' && part !== '.' && part !== '..') && !/[\\\p{Cc}]|^[a-z]:/iu.test(path);
  if (isSafe) return;
  throw new EmbatchError(
    'MODEL',
    `${origin} lists a file ${JSON.stringify(path)}, which would lie outside of the model's folder. ` +
      'Nothing of it is fetched: do not trust it.',
  );
}
