/** npm as a child process. Uses nothing that must be installed first. */
import path from 'node:path';
import { run } from './process.mjs';

/** The tests and the compiler are development dependencies, which NODE_ENV=production would leave out. */
export const installOptions = ['--include=dev', '--no-audit', '--no-fund'];

/**
 * Runs the npm that runs us, else the one on the path. stdout is for results: npm writes to stderr.
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<number>} its exit code
 */
export function npm(args, options = {}) {
  const settings = {
    stdio: ['inherit', 2, 2],
    ...options,
    // Without this, onnxruntime-node fetches hundreds of megabytes of GPU libraries on Linux.
    env: { ...(options.env ?? process.env), ONNXRUNTIME_NODE_INSTALL: 'skip' },
  };
  const cli = process.env.npm_execpath;
  if (cli !== undefined && path.basename(cli) === 'npm-cli.js')
    return run(process.execPath, [cli, ...args], settings);
  return run('npm', args, { ...settings, shell: process.platform === 'win32' });
}
