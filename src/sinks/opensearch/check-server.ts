import { EmbatchError } from '../../core/errors.js';
import type { Abortable } from '../../core/interfaces.js';
import type { Cluster } from './client.js';
import { RequestFailure } from './failure.js';

/** The first that limits `_id` to 512 bytes and knows all that we map. */
const OLDEST = { major: 2, minor: 9 };

interface Root {
  readonly version?: { readonly number?: string; readonly distribution?: string };
  readonly tagline?: string;
}

/** Refuses what is no OpenSearch, or too old a one, before anything is written. USAGE. */
export async function checkServer(cluster: Cluster, uri: string, options: Abortable): Promise<void> {
  let root: Root | string;
  try {
    root = (await cluster.request({ method: 'GET', path: [] }, options)) as Root | string;
  } catch (error) {
    // Roles limited to one index may not read it; what can be asked about that index will tell.
    if (error instanceof RequestFailure && error.status === 403) return;
    if (error instanceof RequestFailure && (error.status === 404 || error.status === 405))
      throw notOpenSearch(uri);
    throw error;
  }
  const { number, distribution } = (typeof root === 'object' ? root : {}).version ?? {};
  if (number === undefined) throw notOpenSearch(uri);
  if (distribution !== 'opensearch') {
    throw new EmbatchError(
      'USAGE',
      `${uri} is Elasticsearch ${number}, whose vector fields are others: embatch writes to OpenSearch ${oldest}.`,
    );
  }
  const [major = 0, minor = 0] = number.split('.').map(Number);
  // With its compatibility switch on, OpenSearch calls itself 7.10.2.
  const isOld = major < OLDEST.major || (major === OLDEST.major && minor < OLDEST.minor);
  if (isOld) throw new EmbatchError('USAGE', `${uri} is OpenSearch ${number}: embatch needs ${oldest}.`);
}

const oldest = `${OLDEST.major}.${OLDEST.minor} or newer`;

function notOpenSearch(uri: string): EmbatchError {
  return new EmbatchError(
    'USAGE',
    `What answers at ${uri} is not OpenSearch: check host, port and path before the index's name.`,
  );
}
