/** Starts what the tests need: a given address, else Docker, else assembled from packages. */
import { ScriptError } from '../lib/process.mjs';
import { dockerMissing } from './docker.mjs';
import * as kubernetes from './kubernetes.mjs';
import * as opensearch from './opensearch.mjs';
import * as ray from './ray.mjs';
import * as s3 from './s3.mjs';
import { s3Credentials, services } from './settings.mjs';

const kinds = { s3, opensearch, opensearchTight: opensearch, ray, kubernetes };

/**
 * Starts servers, all at once, and says which.
 * @param {readonly (keyof typeof services)[]} names
 * @param {{ signal: AbortSignal }} options
 * @returns {Promise<{ environment: Record<string, string>, missing: string[], logs: string[], stop: () => Promise<void> }>}
 *   `environment`: what tests are told; `missing`: one message a server that could not be had
 */
export async function startServices(names, { signal }) {
  const outcomes = await Promise.allSettled(names.map((name) => obtain(name, signal)));
  const servers = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  const unexpected = outcomes.find(({ reason }) => reason !== undefined && !(reason instanceof ScriptError));
  if (unexpected !== undefined) {
    await stop();
    throw unexpected.reason;
  }
  return {
    environment: Object.assign({}, ...servers.map((server) => server.environment)),
    missing: outcomes.flatMap(({ reason }) => (reason === undefined ? [] : [reason.message])),
    logs: servers.flatMap(({ log }) => log ?? []),
    stop,
  };
}

async function obtain(name, signal) {
  const { title, given, tells, settings = {} } = services[name];
  const address = given && process.env[given];
  const server = address ? asGiven(address.replace(/\/+$/, '')) : await start(name, title, settings, signal);
  try {
    const found = await kinds[name].describe(server.url).catch((error) => {
      throw new ScriptError(`${title}: no answer at ${server.url}: ${error.cause?.message ?? error.message}`);
    });
    const started = address ? `given by ${given}` : `started from ${server.from}, log in ${server.log}`;
    console.log(`services: ${title}: ${server.product ?? found} at ${shown(server.url)}, ${started}`);
  } catch (error) {
    await server.stop();
    throw error;
  }
  const environment = {
    [tells]: server.url,
    ...(name === 's3' ? s3Environment(server.url, address) : kinds[name].environment?.()),
  };
  return { ...server, environment };
}

/** Without a password; a file as it is. */
const shown = (place) => (URL.canParse(place) ? new URL(place).origin : place);

const asGiven = (url) => ({ url, stop: async () => undefined });

/** A server that somebody else runs may want their credentials. */
function s3Environment(url, address) {
  const own = Object.keys(s3Credentials).filter((key) => address && process.env[key]);
  return {
    AWS_ENDPOINT_URL_S3: url,
    ...s3Credentials,
    ...Object.fromEntries(own.map((key) => [key, process.env[key]])),
  };
}

async function start(name, title, settings, signal) {
  const reasons = [];
  const ways = [
    ['Docker', (await dockerMissing()) ?? kinds[name].fromDocker],
    ['packages', kinds[name].fromPackages],
  ];
  for (const [from, way] of ways) {
    try {
      if (typeof way === 'string') throw new ScriptError(way);
      return { from, ...(await way({ name: kebab(name), settings, signal })) };
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error;
      reasons.push(`${from}: ${error.message}`);
      if (typeof way !== 'string')
        console.log(`services: ${title} could not be started from ${from}: ${error.message}`);
    }
  }
  const { given } = services[name];
  const remedy = given === undefined ? 'mend' : `set ${given}, or mend`;
  throw new ScriptError(`${title} cannot be started; ${remedy} one of: ${reasons.join('; ')}`);
}

const kebab = (name) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
