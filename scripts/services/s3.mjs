/** S3 for tests: a given address, else moto from its image, else moto from PyPI. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { capture, run, ScriptError } from '../lib/process.mjs';
import { at } from '../lib/project.mjs';
import { buildOnce } from './cache.mjs';
import { startContainer } from './docker.mjs';
import { startServer } from './server.mjs';
import { versions } from './settings.mjs';

const program = at('scripts/services/serve-moto.py');

/** It does not tell its version itself. */
const product = `moto ${versions.moto}`;

const isReady = async (url) => (await fetch(url)).status < 500;

/** @param {string} url */
export async function describe(url) {
  const response = await fetch(url);
  return response.headers.get('server') ?? 'server without a name';
}

/** @param {{ name: string, signal: AbortSignal }} options */
export async function fromDocker({ name, signal }) {
  const server = await startContainer({
    name,
    image: `motoserver/moto:${versions.moto}`,
    port: 5000,
    options: ['--entrypoint', 'python'],
    // As text: a mounted file would have to lie on the daemon's machine.
    args: ['-c', readFileSync(program, 'utf8'), '0.0.0.0', '5000'],
    isReady,
    signal,
  });
  return { ...server, product };
}

/** @param {{ name: string, signal: AbortSignal }} options */
export async function fromPackages({ name, signal }) {
  const folder = await buildOnce(`s3-moto-${versions.moto}`, 'ready', buildEnvironment);
  const server = await startServer({
    name,
    command: pythonOf(folder),
    args: (port) => [program, '127.0.0.1', String(port)],
    isReady,
    patienceMs: 60_000,
    signal,
  });
  return { ...server, product };
}

const pythonOf = (folder) =>
  process.platform === 'win32'
    ? path.join(folder, 'venv/Scripts/python.exe')
    : path.join(folder, 'venv/bin/python');

/** A virtual environment survives being moved as long as its scripts are not used: `python -m pip`, never `pip`. */
async function buildEnvironment(folder) {
  console.log(`services: moto ${versions.moto} is not in the cache, installing it from PyPI (once) …`);
  const python = await findPython();
  const environment = await capture(python, ['-m', 'venv', path.join(folder, 'venv')]);
  if (environment.code !== 0) {
    const reason = `${environment.stdout}${environment.stderr}`.trim().split('\n')[0];
    throw new ScriptError(`${python} -m venv failed (Debian: install python3-venv): ${reason}`);
  }
  const packages = [`moto[s3]==${versions.moto}`, 'flask', 'flask-cors'];
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages];
  if ((await run(pythonOf(folder), pip)) !== 0)
    throw new ScriptError('pip could not install moto; see above');
}

async function findPython() {
  for (const command of ['python3', 'python']) {
    const found = await capture(command, ['--version']).catch(() => undefined);
    if (/^Python 3\./.test(found?.stdout ?? '')) return command;
  }
  throw new ScriptError('moto needs Python 3, and there is neither python3 nor python');
}
