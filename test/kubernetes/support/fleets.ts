import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Options } from '#embatch/core/options.js';
import type { Engine, Fleet, FleetRef, FleetState } from '#embatch/engines/engine.js';
import { createKubernetesEngine } from '#embatch/engines/kubernetes/engine.js';
import { defaultOptions } from '../../support/default-options.js';
import { eventually } from '../../support/eventually.js';
import { cli } from '../../support/paths.js';
import { recordingLogger } from '../../support/recording-logger.js';

export const EMBATCH = 'registry.example/embatch:1';
const EXITS = 'registry.example/exits:1';

/** What the nodes of the tests have of images. */
export const images = {
  [EMBATCH]: [process.execPath, cli],
  [EXITS]: [process.execPath, fileURLToPath(new URL('exits.js', import.meta.url))],
};

export function engineWith(kubeconfig: string, given: Partial<Options>): Promise<Engine> {
  const options = defaultOptions({ image: EXITS, ...given });
  return createKubernetesEngine(options, {
    log: recordingLogger(),
    environment: { KUBECONFIG: kubeconfig },
  });
}

export function fleetOf(
  name: string,
  shards: number,
  environment: Readonly<Record<string, string>> = {},
): Fleet {
  return {
    name,
    shards,
    arguments: ['run'],
    environment,
    labels: { source: 's3://bucket/docs', sink: 'opensearch://host:9200/docs', state: 's3://bucket/state' },
  };
}

export type Steps = Readonly<Record<number, readonly (number | 'wait')[]>>;

/** A fleet whose processes end with given exit codes; `folder` tells how many there were (exits.ts). */
export async function exitingFleet(
  name: string,
  shards: number,
  steps: Steps,
  parent: string,
): Promise<{ readonly fleet: Fleet; readonly folder: string }> {
  const folder = join(parent, name);
  await mkdir(folder);
  const fleet = fleetOf(name, shards, { EXITS: JSON.stringify(steps), EXITS_FOLDER: folder });
  return { fleet, folder };
}

export const refOf = ({ name, shards }: Fleet): FleetRef => ({ name, shards, handle: undefined });

/** Its state once it has ended, or once `wanted` holds. */
export async function stateWhen(
  engine: Engine,
  ref: FleetRef,
  description: string,
  wanted: (state: FleetState) => boolean,
): Promise<FleetState> {
  let last: FleetState | undefined;
  await eventually(`${ref.name}: ${description}`, async () => {
    last = await engine.state(ref);
    return last !== undefined && wanted(last);
  });
  // `eventually` has seen to it.
  return last as FleetState;
}

export const hasEnded = ({ phase }: FleetState): boolean => phase !== 'waiting' && phase !== 'running';
