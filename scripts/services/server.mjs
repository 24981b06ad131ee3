/** One server process: started, awaited, stopped; its output in build/logs/. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { ScriptError } from '../lib/process.mjs';
import { at, root } from '../lib/project.mjs';

const keeper = at('scripts/services/keeper.mjs');
const pollMs = 100;

/**
 * @typedef {object} Server
 * @property {string} url
 * @property {string} log file, relative to the project
 * @property {() => Promise<void>} stop
 */

/**
 * Starts a command on a free port of this machine and waits until it answers there.
 * @param {object} options
 * @param {string} options.name of the log file
 * @param {string} options.command
 * @param {(port: number) => readonly string[]} options.args
 * @param {(url: string) => Promise<boolean>} options.isReady
 * @param {number} options.patienceMs
 * @param {AbortSignal} options.signal
 * @param {() => unknown} [options.cleanUp] what is to be done once it has ended, also where it never answered
 * @returns {Promise<Server>}
 */
export async function startServer({ cleanUp = () => undefined, ...options }) {
  try {
    const server = await startOnFreePort(options);
    return {
      ...server,
      stop: async () => {
        await server.stop();
        await cleanUp();
      },
    };
  } catch (error) {
    await cleanUp();
    throw error;
  }
}

async function startOnFreePort({ name, command, args, isReady, patienceMs, signal }) {
  signal.throwIfAborted();
  const port = await freePort();
  const url = `http://127.0.0.1:${String(port)}`;
  mkdirSync(at('build/logs'), { recursive: true });
  const log = at('build/logs', `${name}.log`);
  const output = openSync(log, 'w');
  const child = spawn(process.execPath, [keeper, command, ...args(port)], {
    stdio: ['pipe', output, output],
    detached: true,
  });
  closeSync(output);
  const ended = once(child, 'exit');
  const stop = async () => {
    child.stdin.destroy();
    await ended;
  };

  const giveUp = Date.now() + patienceMs;
  while (!(await isReady(url).catch(() => false))) {
    if (child.exitCode !== null) throw new ScriptError(`it ended at once: ${lastWords(log)}`);
    if (signal.aborted || Date.now() > giveUp) {
      await stop();
      signal.throwIfAborted();
      throw new ScriptError(`no answer on ${url} within ${String(patienceMs / 1000)} s: ${lastWords(log)}`);
    }
    await wait(pollMs);
  }
  return { url, log: path.relative(root, log), stop };
}

/** The lines that tell why, and where to read on. */
function lastWords(log) {
  const lines = readFileSync(log, 'utf8').trim().split('\n');
  const telling = lines.filter((line) => /error|exception|cannot|denied|in use/i.test(line));
  return `${(telling.length > 0 ? telling : lines).slice(0, 3).join(' | ')} (log: ${path.relative(root, log)})`;
}

/** A TCP port of 127.0.0.1 that nobody listens on. */
async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
