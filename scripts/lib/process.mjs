/** Child processes and the last words of a script. Uses nothing that must be installed first. */
import { spawn } from 'node:child_process';
import os from 'node:os';
import { root } from './project.mjs';

/** An expected failure: its message is all that the reader needs. */
export class ScriptError extends Error {}

/**
 * Runs a command in the project's folder and waits for its end.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions & { onSpawn?: (child: import('node:child_process').ChildProcess) => void }} [options]
 * @returns {Promise<number>} its exit code; 128 and the signal's number where a signal ended it
 */
export function run(command, args, { onSpawn, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options });
    child.once('error', (error) => {
      reject(new ScriptError(`cannot run ${command}: ${error.message}`));
    });
    child.once('exit', (code, signal) => {
      resolve(code ?? 128 + os.constants.signals[signal]);
    });
    onSpawn?.(child);
  });
}

/**
 * The same, keeping what it prints.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<{ code: number, stdout: string, stderr: string }>}
 */
export async function capture(command, args, options = {}) {
  const output = { stdout: '', stderr: '' };
  const code = await run(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
    onSpawn: (child) => {
      child.stdout.setEncoding('utf8').on('data', (text) => (output.stdout += text));
      child.stderr.setEncoding('utf8').on('data', (text) => (output.stderr += text));
    },
  });
  return { code, ...output };
}

/**
 * Runs a script's main function: what it returns is the exit code; an expected failure prints one line.
 * @param {() => Promise<number | undefined | void>} main
 */
export async function runMain(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    console.error(error instanceof ScriptError ? `error: ${error.message}` : error);
    process.exitCode = 1;
  }
}
