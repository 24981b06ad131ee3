/** S3 for tests: a given address, else moto from its image, else moto from PyPI. */
import { readFileSync } from 'node:fs';
import { at } from '../lib/project.mjs';
import { startContainer } from './docker.mjs';
import { pythonOf, pythonWith } from './python.mjs';
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
  const folder = await pythonWith('moto', `s3-moto-${versions.moto}`, [
    `moto[s3]==${versions.moto}`,
    'flask',
    'flask-cors',
  ]);
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
