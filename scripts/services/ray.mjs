/** Ray for tests: a given address, else one node from PyPI in namespaces of its own (serve-ray.py). Linux only. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { capture, ScriptError } from '../lib/process.mjs';
import { at } from '../lib/project.mjs';
import { pythonOf, pythonWith } from './python.mjs';
import { startServer } from './server.mjs';
import { rayToken, versions } from './settings.mjs';

/** Of which a test's jobs ask for little, so that they need not wait for those of another. */
const cpus = 6;

/** Shown by a server of ours: one that somebody else runs has a token of its own, or none. */
const token = () => process.env.RAY_AUTH_TOKEN ?? rayToken;

const version = async (url) => {
  const headers = { authorization: `Bearer ${token()}` };
  const response = await fetch(`${url}/api/version`, { headers });
  if (response.status !== 200) throw new ScriptError(`HTTP ${String(response.status)}`);
  return (await response.json()).ray_version;
};

/** @param {string} url */
export const describe = async (url) => `Ray ${await version(url)}`;

/** @returns {Record<string, string>} what tests are told besides the address */
export const environment = () => ({ EMBATCH_TEST_RAY_TOKEN: token() });

export async function fromDocker() {
  throw new ScriptError('its jobs need the Node and the folders of this machine');
}

/** @param {{ name: string, signal: AbortSignal }} options */
export async function fromPackages({ name, signal }) {
  const namespaces = await namespaceOptions();
  const folder = await pythonWith('Ray', `ray-${versions.ray}`, [`ray[default]==${versions.ray}`]);
  // A short path: those of Unix sockets, which it makes in there, may have 107 characters.
  const work = mkdtempSync(path.join(os.tmpdir(), 'ray-'));
  return startServer({
    name,
    command: pythonOf(folder),
    args: (port) => [
      at('scripts/services/serve-ray.py'),
      namespaces,
      String(port),
      String(cpus),
      work,
      rayToken,
    ],
    isReady: async (url) => (await version(url)) !== undefined,
    patienceMs: 120_000,
    signal,
    cleanUp: () => rmSync(work, { recursive: true, force: true }),
  });
}

/** Ray listens on all interfaces: it gets none but a loopback of its own. */
async function namespaceOptions() {
  if (process.platform !== 'linux') {
    throw new ScriptError(`Ray is started in a network namespace, which ${process.platform} does not have`);
  }
  const isolated = '--net --pid --mount-proc';
  const reasons = [];
  for (const options of [isolated, `--user --map-root-user ${isolated}`]) {
    const tried = await capture('unshare', [...options.split(' '), '--fork', 'true']);
    if (tried.code === 0) return options;
    reasons.push(tried.stderr.trim());
  }
  throw new ScriptError(`Ray needs a network namespace, which this user may not make: ${reasons.join('; ')}`);
}
