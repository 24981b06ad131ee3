import type { Abortable, Logger } from '../../core/interfaces.js';
import type { Access } from './access.js';
import { RequestFailure } from './failure.js';
import type { OpenIndex } from './open-index.js';

/**
 * The index remembers up to when its copies were swept (`_meta.embatch.swept`), so that what a killed run left is
 * swept by the next one, and what was swept once is not looked at again.
 */

interface Meta {
  readonly embatch?: { readonly indexId?: string; readonly swept?: string };
}

/** undefined where nothing was ever swept. */
export async function readSweepMark(
  access: Access,
  index: OpenIndex,
  options: Abortable,
): Promise<string | undefined> {
  return (await readMeta(access, index, options))?.embatch?.swept;
}

/** Costs the next sweep some time where it is not permitted, so that is no failure. */
export async function moveSweepMark(
  access: Access,
  index: OpenIndex,
  swept: string,
  log: Logger,
  options: Abortable,
): Promise<void> {
  const meta = await readMeta(access, index, options);
  if (meta?.embatch?.indexId !== index.info.indexId) return;
  const body = { _meta: { ...meta, embatch: { ...meta.embatch, swept } } };
  const refusal = await access.call(
    (cluster) =>
      cluster.request({ method: 'PUT', path: [index.name, '_mapping'], body }, options).then(
        () => undefined,
        (error: unknown) => {
          if (error instanceof RequestFailure && (error.status === 403 || error.status === 400)) return error;
          throw error;
        },
      ),
    options,
  );
  if (refusal !== undefined) {
    log.debug('the index may not remember what was swept: the next run looks at all of it', {
      reason: refusal.message,
    });
  }
}

async function readMeta(access: Access, { name }: OpenIndex, options: Abortable): Promise<Meta | undefined> {
  const answer = await access.call(
    (cluster) => cluster.request({ method: 'GET', path: [name, '_mapping'] }, options),
    options,
  );
  const [found] = Object.values(answer as Readonly<Record<string, { mappings?: { _meta?: Meta } }>>);
  return found?.mappings?._meta;
}
