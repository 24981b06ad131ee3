import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import type { RunSummary } from '#embatch/job/summary.js';
import { cli } from './paths.js';

export interface Ended {
  /** Exit code; 128 + the signal's number where a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd?: string;
  /** Added to a clean environment: nothing of the machine's own settings reaches the program. */
  readonly env?: Readonly<Record<string, string>>;
  readonly onSpawn?: (child: ChildProcess) => void;
}

/** Runs the built program to its end. */
export function runCli(args: readonly string[], { cwd, env = {}, onSpawn }: CliOptions = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const { PATH = '', HOME = '' } = process.env;
    const child = spawn(process.execPath, [cli, ...args], {
      cwd,
      env: { PATH, HOME, NO_COLOR: '1', AWS_EC2_METADATA_DISABLED: 'true', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      resolve({ code: code ?? 128 + (signal === 'SIGKILL' ? 9 : 15), stdout, stderr });
    });
    onSpawn?.(child);
  });
}

/** What a run with `--json` has printed. */
export function summaryOf({ stdout, stderr }: Ended): RunSummary {
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout) as RunSummary;
}

/** What S3 and its credentials are called in the environment of a test run with servers. */
export function s3Environment(): Record<string, string> {
  const names = ['AWS_ENDPOINT_URL_S3', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_REGION'];
  return Object.fromEntries(names.map((name) => [name, process.env[name] ?? '']));
}
