import { describeError, EmbatchError } from '../../core/errors.js';
import type { Abortable, Logger } from '../../core/interfaces.js';
import type { GraphRequest } from '../graph-choice.js';
import { fetchModel, missingFiles, type PulledModel } from './fetch-model.js';
import { openHubCache, type HubCache } from './hub-cache.js';
import { createHubClient } from './hub-client.js';
import type { HubFile } from './hub-files.js';
import { createHubPlace } from './hub-place.js';
import { readHubSettings, type HubSettings } from './hub-settings.js';
import { formatHubRef, type HubRef } from './model-ref.js';
import { defaultPatience, type Patience } from './patience.js';
import type { ModelLocation } from '../model/model.js';
import type { ModelPlace } from './place.js';
import { folderFiles, missingInFolder } from './snapshot-files.js';

export interface HubModelOptions extends Abortable {
  readonly request: GraphRequest;
  readonly log: Logger;
  readonly patience?: Patience | undefined;
}

/**
 * A model of the hub as it lies in the cache; fetched only where something is missing. A branch stays at the commit
 * that it was when it was last pulled, so that two runs never differ by what somebody pushed between them.
 * Error: MODEL.
 */
export async function openHubModel(ref: HubRef, options: HubModelOptions): Promise<ModelLocation> {
  const settings = await readHubSettings();
  const local = await findLocal(ref, settings, options);
  if (local?.isListed === true && local.missing.length === 0) return local.location;
  try {
    return withoutFiles(await pullHubModel(ref, options));
  } catch (error) {
    const usable = local?.missing.length === 0;
    if (!usable || !isOutage(error)) throw error;
    return takeLocal(ref, settings, local, describeError(error), options.log);
  }
}

/** Asks the hub what the revision is now, fetches what is missing and checks what is there. Error: MODEL. */
export async function pullHubModel(ref: HubRef, options: HubModelOptions): Promise<PulledModel> {
  const settings = await readHubSettings();
  if (settings.offline) {
    const local = await findLocal(ref, settings, options);
    const location = takeLocal(ref, settings, local, 'HF_HUB_OFFLINE is set', options.log);
    const files = (await folderFiles(location.folder)).map((file) => ({ ...file, fetched: false }));
    return {
      ...location,
      files,
      bytesFetched: 0,
      bytesReused: files.reduce((sum, { size }) => sum + size, 0),
    };
  }
  const { log, signal, patience = defaultPatience } = options;
  const cache = openHubCache(settings.cacheFolder, ref.id);
  const client = createHubClient(ref, settings, { log, patience });
  const commit = await client.commit({ signal });
  let files = await cache.tree(commit);
  if (files === undefined) {
    files = await client.tree(commit, { signal });
    await cache.rememberTree(commit, files, log);
  }
  const place = placeOf(ref, commit, files, settings, cache, options);
  const pulled = await fetchModel(place, { ...options, patience });
  // Last, so that the revision leads to a whole model at any time.
  await cache.rememberCommit(ref.revision, commit).catch((error: unknown) => {
    log.debug(`The commit of ${formatHubRef(ref)} is not kept: ${describeError(error)}`);
  });
  return pulled;
}

interface Local {
  readonly location: ModelLocation;
  /** False where nothing says which files the model has: then `missing` is what its own files tell. */
  readonly isListed: boolean;
  readonly missing: readonly string[];
}

/** What the cache holds of a model; undefined where it does not know the revision. */
async function findLocal(
  ref: HubRef,
  settings: HubSettings,
  options: HubModelOptions,
): Promise<Local | undefined> {
  const cache = openHubCache(settings.cacheFolder, ref.id);
  const commit = await cache.commit(ref.revision);
  if (commit === undefined) return undefined;
  const files = await cache.tree(commit);
  if (files !== undefined) {
    const place = placeOf(ref, commit, files, settings, cache, options);
    const missing = await missingFiles(place, options.request);
    return { location: place.location, isListed: true, missing };
  }
  const folder = cache.snapshot(commit);
  if ((await folderFiles(folder)).length === 0) return undefined;
  const missing = await missingInFolder(formatHubRef(ref), folder, options.request).catch(
    (error: unknown) => {
      // What is there may be too little to tell.
      if (error instanceof EmbatchError) return ['an ONNX file'];
      throw error;
    },
  );
  return { location: { id: ref.id, revision: commit, folder }, isListed: false, missing };
}

function takeLocal(
  ref: HubRef,
  settings: HubSettings,
  local: Local | undefined,
  why: string,
  log: Logger,
): ModelLocation {
  const name = formatHubRef(ref);
  if (local?.missing.length === 0) {
    if (!local.isListed) {
      log.warn(
        `${name} is taken from ${local.location.folder} as it is, unchecked: nothing there says which files the model ` +
          `has, and the hub was not asked (${why}).`,
      );
    }
    return local.location;
  }
  const missing = local === undefined ? 'nothing of it is there' : `missing: ${local.missing.join(', ')}`;
  throw new EmbatchError(
    'MODEL',
    `${name} is not in the cache ${settings.cacheFolder} (${missing}), and ${why}. Unset it, or run ` +
      `\`embatch models pull ${name}\` where there is a network and copy that folder here.`,
  );
}

function placeOf(
  ref: HubRef,
  commit: string,
  files: readonly HubFile[],
  settings: HubSettings,
  cache: HubCache,
  { log, patience = defaultPatience }: HubModelOptions,
): ModelPlace<HubFile> {
  const client = createHubClient(ref, settings, { log, patience });
  return createHubPlace({ ref, commit, files, cache, client, origin: settings.endpoint, log });
}

function isOutage(error: unknown): boolean {
  return error instanceof EmbatchError && ['unreachable', 'failing'].includes(String(error.details['kind']));
}

function withoutFiles({ id, revision, folder }: PulledModel): ModelLocation {
  return { id, revision, folder };
}
