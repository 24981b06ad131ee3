import { EmbatchError } from '../core/errors.js';
import type { Logger, Sink, Source } from '../core/interfaces.js';
import type { Options } from '../core/options.js';
import { openState } from '../ledger/open-state.js';
import { openSource } from '../source/open-source.js';
import { listedSource } from './listing/read-listing.js';

/** The source that was named. Error: USAGE. */
export function requireSource(options: Options): string {
  if (options.source !== undefined) return options.source;
  throw new EmbatchError(
    'USAGE',
    'there is nothing to read: name a folder or s3://bucket/prefix, such as `embatch run ./docs`.',
  );
}

/** Opens the source as the options mean it. Errors: USAGE, SOURCE. */
export async function openSourceOf(
  options: Options,
  {
    sink,
    sourceId,
    log,
  }: { readonly sink: Sink; readonly sourceId: string | undefined; readonly log: Logger },
): Promise<Source> {
  const source = await openSource(requireSource(options), {
    anonymous: options.anonymous,
    sourceId: options.sourceId ?? sourceId,
    followLinks: options.followLinks,
    hidden: options.hidden,
    include: options.include,
    exclude: options.exclude,
    limit: options.limit,
    leaveOut: localFolders(options, sink),
    log,
  });
  if (options.sourceManifest === undefined) return source;
  try {
    const store = await openState(options.sourceManifest);
    return await listedSource(source, { store, options, log });
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Folders of our own that a source must not read: `embatch run .` with everything below it. */
function localFolders(options: Options, sink: Sink): string[] {
  const sinkFolder = /^(?:lancedb|jsonl):(.*)$/.exec(options.sink)?.[1];
  return [sinkFolder, sink.leaseUri, options.state, options.sourceManifest, options.writeManifest].filter(
    (folder): folder is string => folder !== undefined && !/^[a-z0-9+]+:\/\//.test(folder),
  );
}
