import { z } from 'zod';
import { EmbatchError } from '../../core/errors.js';
import type { Abortable } from '../../core/interfaces.js';
import type { EngineContext } from '../context.js';
import type { Engine } from '../engine.js';
import { createRayClient, notRay, type RayClient } from './client.js';
import { readConfig, type RayOptions } from './config.js';
import { fleetState, isWaiting, parseJson } from './job-state.js';
import { getJobs, settleAll, stopJob } from './jobs.js';
import { jobIds, jobRequests, MAX_SHARDS, printedRequests, refusesValue } from './requests.js';
import { submitJobs, submitPatience, type SubmitPatience } from './submit-jobs.js';

export type { RayOptions } from './config.js';

/** For tests: how long to wait for what. */
export interface RayTimes {
  readonly requestTimeoutMs?: number;
  readonly retryPauseMs?: number;
  readonly submit?: Partial<SubmitPatience>;
}

/**
 * One job of Ray's job submission API for each shard. The nodes must hold Node and embatch. Ray starts nothing again by
 * itself that would look at exit codes. The token is taken from RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or, where
 * RAY_AUTH_MODE is `token`, from `~/.ray/auth_token`. Error: USAGE.
 */
export async function createRayEngine(
  options: RayOptions,
  { log, environment }: EngineContext,
  times: RayTimes = {},
): Promise<Engine> {
  const config = await readConfig(options, environment);
  const client = createRayClient({ ...config, ...times });
  return {
    name: 'ray',
    place: `Ray at ${config.address}`,
    maxShards: MAX_SHARDS,
    format: 'json',
    onlyZeroSucceeds: true,
    refusesValue,
    requests: (fleet) => printedRequests(fleet, config),
    async submit(fleet, abortable = {}) {
      const requests = jobRequests(fleet, config);
      await checkServer(client, abortable);
      await submitJobs(client, requests, log, abortable, { ...submitPatience, ...times.submit });
      if (options.cpu === undefined) {
        log.info(
          `each shard asks Ray for ${config.cpus} CPU and may share its node with others: --cpu gives it more`,
        );
      }
      return undefined;
    },
    async state(fleet, abortable = {}) {
      // How many there are is not known of a fleet that is only suspected: its first job tells whether it is there.
      const ids = jobIds({ ...fleet, shards: Math.max(1, fleet.shards) });
      return fleetState(await getJobs(client, ids, abortable));
    },
    async stop(fleet, abortable = {}) {
      const outcomes = await settleAll(jobIds(fleet), (id) => stopJob(client, id, abortable));
      const failure = outcomes.find((outcome) => outcome.status === 'rejected');
      if (failure !== undefined) throw failure.reason;
      const jobs = await getJobs(client, jobIds(fleet), abortable);
      const waiting = jobs.filter((job) => job !== undefined && isWaiting(job)).length;
      if (waiting > 0) {
        log.warn(
          `${waiting} of ${fleet.shards} jobs wait for CPUs: Ray keeps them in its list and ends them when they would start`,
        );
      }
    },
    logsOf: (fleet) => {
      const [first = '', ...others] = jobIds(fleet);
      const rest = others.length === 0 ? '' : ` (to ${others.at(-1) ?? ''})`;
      return `ray job logs --address ${config.address} --follow ${first}${rest}`;
    },
    close: () => client.close(),
  };
}

const versionSchema = z.object({ ray_version: z.string() });

/** Before anything is sent to what may be something else. Error: USAGE. */
async function checkServer(client: RayClient, options: Abortable): Promise<void> {
  const { status, text } = await client.get('/api/version', options);
  const answer = versionSchema.safeParse(parseJson(text));
  if (status === 200 && answer.success) {
    checkVersion(answer.data.ray_version, client.address);
    return;
  }
  if (status >= 500) {
    throw new EmbatchError(
      'ENGINE',
      `Ray cannot be reached at ${client.address}: HTTP ${status} to GET /api/version. Check the head node.`,
      { retryable: true },
    );
  }
  throw notRay(client.address, `HTTP ${status} to GET /api/version, without the version of a Ray`);
}

/** The first with `entrypoint_memory`, without which `--memory` is an unknown field. */
const OLDEST = [2, 8] as const;

function checkVersion(version: string, address: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  throw new EmbatchError(
    'USAGE',
    `Ray at ${address} is version ${version}; ${OLDEST.join('.')} or newer is needed.`,
  );
}
