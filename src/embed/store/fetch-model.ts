import type { Abortable, Logger } from '../../core/interfaces.js';
import { mapConcurrent } from '../../core/streams.js';
import { formatBytes } from '../../core/units.js';
import type { GraphRequest } from '../graph-choice.js';
import type { RemoteFile } from './choose-files.js';
import type { Patience } from './patience.js';
import type { ModelLocation } from '../model/model.js';
import type { ModelPlace } from './place.js';
import { createByteProgress } from './byte-progress.js';
import { walkModel } from './walk-model.js';

export interface PulledModel extends ModelLocation {
  /** What a run needs, in the order it was looked at. */
  readonly files: readonly PulledFile[];
  readonly bytesFetched: number;
  readonly bytesReused: number;
}

export interface PulledFile {
  /** Relative to the folder, with `/`. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly fetched: boolean;
}

export interface FetchModelOptions extends Abortable {
  readonly request: GraphRequest;
  readonly log: Logger;
  readonly patience: Patience;
}

/** Files at once: the small ones cost a round trip each. */
const CONCURRENCY = 4;

/** Brings every file that a run needs into the place's folder, and checks those that are there. Error: MODEL. */
export async function fetchModel<File extends RemoteFile>(
  place: ModelPlace<File>,
  { request, log, patience, signal }: FetchModelOptions,
): Promise<PulledModel> {
  const pulled: PulledFile[] = [];
  let bytesFetched = 0;
  let bytesReused = 0;

  await walkModel(toWalk(place), request, async (files, reason) => {
    const checked = mapConcurrent(files, CONCURRENCY, async (file) => ({
      file,
      isThere: await place.reuse(file, { signal }),
    }));
    const missing: File[] = [];
    for await (const { file, isThere } of checked) {
      if (isThere) bytesReused += file.size;
      else missing.push(file);
      pulled.push({ path: file.path, size: file.size, fetched: !isThere });
    }
    if (missing.length === 0) return true;
    log.info(announcement(place, missing, reason));
    const bytes = missing.reduce((sum, file) => sum + file.size, 0);
    const progress = createByteProgress(place.name, bytes, log);
    const fetches = mapConcurrent(missing, CONCURRENCY, (file) =>
      place.fetch(file, { log, patience, signal, onBytes: progress.add }),
    );
    for await (const fetched of fetches) bytesFetched += fetched;
    return true;
  });
  return { ...place.location, files: pulled, bytesFetched, bytesReused };
}

/** True where all that a run needs is there: looks at sizes only. Lists what is not. Error: MODEL. */
export async function missingFiles<File extends RemoteFile>(
  place: ModelPlace<File>,
  request: GraphRequest,
): Promise<string[]> {
  const missing: string[] = [];
  await walkModel(toWalk(place), request, async (files) => {
    for (const file of files) if (!(await place.has(file))) missing.push(file.path);
    return missing.length === 0;
  });
  return missing;
}

function toWalk<File extends RemoteFile>(
  place: ModelPlace<File>,
): { name: string; files: readonly File[]; folder: string } {
  return { name: place.name, files: place.files, folder: place.location.folder };
}

function announcement(place: ModelPlace, missing: readonly RemoteFile[], reason: string | undefined): string {
  const bytes = formatBytes(missing.reduce((sum, file) => sum + file.size, 0));
  const [only] = missing;
  const what = missing.length === 1 && only !== undefined ? only.path : `${missing.length} files`;
  const graph = missing.find(({ path }) => path.endsWith('.onnx'));
  const why = reason === undefined || graph === undefined ? '' : ` (${graph.path}: ${reason})`;
  return `Fetching ${what} of ${place.name} from ${place.origin}: ${bytes}${why}.`;
}
