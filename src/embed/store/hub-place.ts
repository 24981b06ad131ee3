import { join } from 'node:path';
import type { Abortable, Logger } from '../../core/interfaces.js';
import { hashFile, type ContentHash } from './content-hash.js';
import { fetchFile } from './fetch-file.js';
import type { HubCache } from './hub-cache.js';
import type { HubClient } from './hub-client.js';
import type { HubFile } from './hub-files.js';
import { formatHubRef, type HubRef } from './model-ref.js';
import type { ModelPlace } from './place.js';
import { fileSize } from './store-files.js';

export interface HubPlaceOptions {
  readonly ref: HubRef;
  readonly commit: string;
  readonly files: readonly HubFile[];
  readonly cache: HubCache;
  readonly client: HubClient;
  readonly origin: string;
  readonly log: Logger;
}

/** A commit of a model on the hub, and its snapshot in the cache. */
export function createHubPlace(options: HubPlaceOptions): ModelPlace<HubFile> {
  const { ref, commit, files, cache, client, log } = options;
  const folder = cache.snapshot(commit);
  const pathOf = (file: HubFile): string => join(folder, ...file.path.split('/'));

  const place: ModelPlace<HubFile> = {
    location: { id: ref.id, revision: commit, folder },
    name:
      ref.revision === commit ? formatHubRef(ref) : `${formatHubRef(ref)} (commit ${commit.slice(0, 12)})`,
    origin: options.origin,
    files,

    async has(file) {
      return (await fileSize(pathOf(file))) === file.size;
    },

    async reuse(file, abortable) {
      for (const candidate of [pathOf(file), cache.blob(file.hash.value)]) {
        if ((await fileSize(candidate)) !== file.size) continue;
        const problem = await hashProblem(candidate, file.hash, abortable);
        if (problem === undefined) {
          if (candidate !== pathOf(file)) await cache.link(commit, file.path, file.hash.value);
          return true;
        }
        log.warn(`${candidate} is damaged (${problem}); it is fetched again.`);
      }
      return false;
    },

    async fetch(file, fetchOptions) {
      const fetched = await fetchFile(
        {
          label: `${file.path} of ${formatHubRef(ref)}`,
          target: cache.blob(file.hash.value),
          size: file.size,
          open: (offset, abortable) => client.open(commit, file.path, offset, abortable),
          verify: (partial, abortable) => hashProblem(partial, file.hash, abortable),
        },
        fetchOptions,
      );
      await cache.link(commit, file.path, file.hash.value);
      return fetched;
    },
  };
  return place;
}

async function hashProblem(
  file: string,
  { kind, value }: ContentHash,
  options: Abortable,
): Promise<string | undefined> {
  const actual = await hashFile(file, kind, options);
  if (actual === value) return undefined;
  const name = kind === 'git' ? 'git id' : 'SHA-256';
  return `its ${name} is ${actual.slice(0, 12)}… where ${value.slice(0, 12)}… is right`;
}
