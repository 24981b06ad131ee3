import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import type { Abortable, StateStore } from '../../core/interfaces.js';
import { parseS3Uri } from '../../core/s3.js';
import { MAX_FLEET_NAME, type EngineName, type FleetRef } from '../../engines/engine.js';

/** What is remembered of a fleet that was sent to an engine; `submissions/NAME.json` in the state. */
export interface Submission extends FleetRef {
  readonly engine: EngineName;
  readonly attempt: number;
  /** As the shards will store them. */
  readonly source: string;
  readonly sink: string;
  /** The engine has taken it. */
  readonly isTaken: boolean;
  /** ISO 8601, UTC. */
  readonly time: string;
  /** The latest run that the state knew of: what began later is this fleet's. */
  readonly since: string | undefined;
}

/** What decides a fleet's name: the same job, whoever submits it from wherever. */
export interface JobPlace {
  readonly source: string;
  readonly sink: string;
  readonly state: string;
}

const HASH_DIGITS = 8;
/** `embatch-`, `-`, the hash and `-a999`. */
const SLUG_LENGTH = MAX_FLEET_NAME - 'embatch-'.length - 1 - HASH_DIGITS - '-a999'.length;

/** The part of the name that all attempts have in common. */
export function jobName({ source, sink, state }: JobPlace): string {
  const absolute = (place: string): string =>
    /^[a-z0-9+]+:/i.test(place) || parseS3Uri(place) !== undefined ? place : resolve(place);
  const hash = createHash('sha256')
    .update(JSON.stringify([absolute(source), sink, absolute(state)]))
    .digest('hex')
    .slice(0, HASH_DIGITS);
  const words = source
    .toLowerCase()
    .replace(/^[a-z0-9+]+:\/\//, '')
    .replace(/[^a-z0-9]+/g, '-');
  const slug = words.slice(0, SLUG_LENGTH).replace(/^-+|-+$/g, '');
  return ['embatch', ...(slug === '' ? [] : [slug]), hash].join('-');
}

const FOLDER = 'submissions/';
const blobName = (name: string): string => `${FOLDER}${name}.json`;

/** The latest attempt of a job, or of any job of this state. Error: STATE. */
export async function latestSubmission(
  store: StateStore,
  job?: string,
  options: Abortable = {},
): Promise<Submission | undefined> {
  const submissions: Submission[] = [];
  for (const path of await store.list(job === undefined ? FOLDER : `${FOLDER}${job}-a`, options)) {
    const submission = parse(await store.get(path, options));
    if (submission !== undefined) submissions.push(submission);
  }
  return submissions
    .sort((a, b) =>
      // Of one job the attempts are counted; of several only clocks can tell.
      job !== undefined || a.time === b.time ? a.attempt - b.attempt : a.time < b.time ? -1 : 1,
    )
    .at(-1);
}

function parse(bytes: Uint8Array | undefined): Submission | undefined {
  try {
    const value = JSON.parse(Buffer.from(bytes ?? []).toString()) as Partial<Submission>;
    const isOne =
      typeof value.name === 'string' && typeof value.shards === 'number' && typeof value.time === 'string';
    return isOne ? (value as Submission) : undefined;
  } catch {
    // Cut off by a kill, or not ours: as if it were not there.
    return undefined;
  }
}

/** False where somebody else has taken the name. Error: STATE. */
export function claim(store: StateStore, submission: Submission, options: Abortable = {}): Promise<boolean> {
  return store.putIfAbsent(blobName(submission.name), JSON.stringify(submission), options);
}

/** Adds what the engine answered. Error: STATE. */
export function confirm(store: StateStore, submission: Submission, options: Abortable = {}): Promise<void> {
  return store.put(blobName(submission.name), JSON.stringify(submission), options);
}

/** Gives a name back that nothing was started under. Error: STATE. */
export function withdraw(store: StateStore, { name }: Submission): Promise<void> {
  return store.delete(blobName(name));
}
