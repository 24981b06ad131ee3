import { readdir, readFile } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { createRayEngine, type RayOptions, type RayTimes } from '#embatch/engines/ray/engine.js';
import type { Engine, Fleet, FleetState } from '#embatch/engines/engine.js';
import { eventually } from '../support/eventually.js';
import { cli } from '../support/paths.js';
import { recordingLogger, type RecordingLogger } from '../support/recording-logger.js';
import { rayToken, rayUrl } from '../support/services.js';

/** Starts the built program on the cluster's node, which is this machine. */
export const entrypoint = `${process.execPath} ${cli}`;

export interface TestEngine {
  readonly engine: Engine;
  readonly log: RecordingLogger;
}

export interface TestEngineOptions extends Partial<RayOptions> {
  readonly token?: string | undefined;
  readonly times?: RayTimes;
}

/** Closed after the test. */
export async function openEngine(
  t: Pick<TestContext, 'after'>,
  { token = rayToken(), times, ...options }: TestEngineOptions = {},
): Promise<TestEngine> {
  const log = recordingLogger();
  const engine = await createRayEngine(
    { address: rayUrl(), entrypoint, cpu: '0.25', memory: undefined, ...options },
    { log, environment: { RAY_AUTH_TOKEN: token } },
    times,
  );
  t.after(() => engine.close());
  return { engine, log };
}

let fleets = 0;

/** With a name that no other has. */
export function newFleet(changes: Partial<Fleet> = {}): Fleet {
  fleets += 1;
  return {
    name: `test-${process.pid}-${Date.now().toString(36)}-${fleets}`,
    shards: 2,
    arguments: ['--version'],
    environment: {},
    labels: { source: 'a', sink: 'b', state: 'c' },
    ...changes,
  };
}

export async function untilEnded(engine: Engine, fleet: Fleet): Promise<FleetState> {
  let state: FleetState | undefined;
  await eventually(`the end of ${fleet.name}`, async () => {
    state = await engine.state({ ...fleet, handle: undefined });
    return state !== undefined && !['waiting', 'running'].includes(state.phase);
  });
  return state as FleetState; // Set by the condition that has just held.
}

/** The embatch process of a machine that has all of these in its environment; undefined where there is none. */
export async function processWith(variables: Readonly<Record<string, string>>): Promise<number | undefined> {
  const wanted = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const [words, environment] = await Promise.all([
      wordsOf(`/proc/${pid}/cmdline`),
      wordsOf(`/proc/${pid}/environ`),
    ]);
    if (words[1] === cli && wanted.every((variable) => environment.includes(variable))) return Number(pid);
  }
  return undefined;
}

/** Empty for a process that has just ended, or is another user's. */
async function wordsOf(file: string): Promise<string[]> {
  return (await readFile(file, 'utf8').catch(() => '')).split('\0');
}
