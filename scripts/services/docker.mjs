/** Servers in containers, where a Docker daemon answers. */
import { capture, run, ScriptError } from '../lib/process.mjs';
import { startServer } from './server.mjs';

let answer;

/** Why there is no Docker to use; undefined where there is one. */
export function dockerMissing() {
  answer ??= ask();
  return answer;
}

async function ask() {
  try {
    const { code, stderr } = await capture('docker', ['info'], { timeout: 15_000 });
    return code === 0 ? undefined : (stderr.trim().split('\n').at(-1) ?? 'docker info failed');
  } catch (error) {
    return error.message;
  }
}

/**
 * Runs an image in the foreground of a kept process and removes the container at the end.
 * @param {object} options
 * @param {string} options.name
 * @param {string} options.image
 * @param {number} options.port inside the container
 * @param {readonly string[]} options.options of `docker run`
 * @param {readonly string[]} [options.args] of the container's entry point
 * @param {(url: string) => Promise<boolean>} options.isReady
 * @param {AbortSignal} options.signal
 */
export async function startContainer({ name, image, port, options, args = [], isReady, signal }) {
  await pull(image);
  const container = `embatch-test-${name}-${String(process.pid)}`;
  return startServer({
    name,
    command: 'docker',
    args: (outside) => {
      const publish = `127.0.0.1:${String(outside)}:${String(port)}`;
      return ['run', '--rm', '--name', container, '--publish', publish, ...options, image, ...args];
    },
    isReady,
    patienceMs: 180_000,
    signal,
    // The client passes SIGTERM on; where it was killed before, the container may still be there.
    cleanUp: () => capture('docker', ['rm', '--force', container]),
  });
}

async function pull(image) {
  const { code } = await capture('docker', ['image', 'inspect', image]);
  if (code === 0) return;
  console.log(`services: pulling ${image}`);
  if ((await run('docker', ['pull', '--quiet', image])) !== 0)
    throw new ScriptError(`docker pull ${image} failed`);
}
