import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import type { RunSummary } from '#embatch/job/summary.js';
import { testData } from '../../support/paths.js';
import { runCli, s3Environment, type Ended } from '../../support/run-cli.js';

export const tiny = ['--model', testData('models/tiny-bert'), '--workers', '1', '--no-progress', '--json'];

const fastClock = new URL('fast-clock.js', import.meta.url).href;

/** 128 and the number of SIGKILL. */
export const KILLED = 137;

export interface FaultyRun extends Ended {
  readonly summary: RunSummary | undefined;
}

export interface FaultyRunOptions {
  /** In place of the S3 server itself. */
  readonly s3?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** How many times as fast the program's clock runs. */
  readonly clockSpeed?: number;
  readonly onSpawn?: (child: ChildProcess) => void;
}

/** `embatch run` with the tiny model. */
export async function embatch(args: readonly string[], options: FaultyRunOptions = {}): Promise<FaultyRun> {
  const { s3, env = {}, clockSpeed, onSpawn } = options;
  const endpoint: Record<string, string> = s3 === undefined ? {} : { AWS_ENDPOINT_URL_S3: s3 };
  const clock: Record<string, string> =
    clockSpeed === undefined
      ? {}
      : { NODE_OPTIONS: `--import=${fastClock}`, EMBATCH_TEST_CLOCK_SPEED: String(clockSpeed) };
  const ended = await runCli(['run', ...args, ...tiny], {
    env: { ...s3Environment(), ...endpoint, ...clock, ...env },
    ...(onSpawn === undefined ? {} : { onSpawn }),
  });
  return { ...ended, summary: ended.stdout === '' ? undefined : (JSON.parse(ended.stdout) as RunSummary) };
}

/** The summary of a run that must end with this code. */
export function endedWith(code: number, run: FaultyRun): RunSummary {
  const words = `${run.summary?.error?.message ?? ''}\n${run.stderr.slice(-3000)}`;
  assert.equal(run.code, code, words);
  assert.ok(run.summary !== undefined, words);
  return run.summary;
}
