/** Servers that are Python packages: a virtual environment for each, in the cache. */
import path from 'node:path';
import { capture, run, ScriptError } from '../lib/process.mjs';
import { buildOnce } from './cache.mjs';

/**
 * The folder of a virtual environment with these packages, made where it is not in the cache.
 * @param {string} product for messages
 * @param {string} name of the folder, with the version
 * @param {readonly string[]} packages as pip names them
 */
export function pythonWith(product, name, packages) {
  return buildOnce(name, 'ready', (folder) => buildEnvironment(folder, product, packages));
}

/** A virtual environment survives being moved as long as its scripts are not used: `python -m pip`, never `pip`. */
export const pythonOf = (folder) =>
  process.platform === 'win32'
    ? path.join(folder, 'venv/Scripts/python.exe')
    : path.join(folder, 'venv/bin/python');

async function buildEnvironment(folder, product, packages) {
  console.log(`services: ${packages[0]} is not in the cache, installing it from PyPI (once) …`);
  const python = await findPython(product);
  const environment = await capture(python, ['-m', 'venv', path.join(folder, 'venv')]);
  if (environment.code !== 0) {
    const reason = `${environment.stdout}${environment.stderr}`.trim().split('\n')[0];
    throw new ScriptError(`${python} -m venv failed (Debian: install python3-venv): ${reason}`);
  }
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages];
  if ((await run(pythonOf(folder), pip)) !== 0)
    throw new ScriptError(`pip could not install ${product}; see above`);
}

async function findPython(product) {
  for (const command of ['python3', 'python']) {
    const found = await capture(command, ['--version']).catch(() => undefined);
    if (/^Python 3\./.test(found?.stdout ?? '')) return command;
  }
  throw new ScriptError(`${product} needs Python 3, and there is neither python3 nor python`);
}
