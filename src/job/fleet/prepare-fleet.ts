import { isAbsolute } from 'node:path';
import { EmbatchError } from '../../core/errors.js';
import type { Logger } from '../../core/interfaces.js';
import { variableName } from '../../core/option-names.js';
import type { OptionName, Options } from '../../core/options.js';
import { redactUri } from '../../core/redact.js';
import type { Engine, Fleet } from '../../engines/engine.js';
import { defaultStateUri } from '../../ledger/default-state.js';
import { requireSource } from '../open-parts.js';
import { createSink } from '../registry.js';
import { newRunId } from '../run-id.js';
import { asVariables, foreignEnvironment, givenOptions } from './fleet-environment.js';

export interface JobToSubmit {
  readonly options: Options;
  readonly origins: Readonly<Record<OptionName, string>>;
  readonly log: Logger;
}

/** What a fleet is made of, before its name is known. */
export interface FleetDraft {
  readonly source: string;
  readonly sink: string;
  /** As the shards will store it. */
  readonly sinkUri: string;
  readonly state: string;
  readonly shards: number;
  readonly variables: Readonly<Record<string, string>>;
}

const asGiven = { tolerateDeadLetters: 'flag' };

/** Checks all that can be told without the engine, source or sink. Error: USAGE. */
export async function draftFleet(
  engine: Engine,
  { options, origins, log }: JobToSubmit,
): Promise<FleetDraft> {
  const source = requireSource(options);
  const { shards, sink } = options;
  if (shards === undefined) {
    throw new EmbatchError('USAGE', 'how many shards are to be started? Give --shards N (EMBATCH_SHARDS).');
  }
  if (shards > engine.maxShards) {
    throw new EmbatchError(
      'USAGE',
      `--shards ${shards} is more than ${engine.name} takes in one job: ${engine.maxShards}.`,
    );
  }
  // A sink that nobody knows is found out here and not by every shard.
  const context = { log, run: newRunId(), shard: { index: 0, count: shards } };
  const opened = await createSink(sink, options, context);
  await opened.close();
  const state = options.state ?? defaultStateUri(source, sink);
  if (engine.name !== 'local') checkPlaces({ source, sink, state }, options, { engine, log });
  const tolerateDeadLetters = engine.onlyZeroSucceeds || options.tolerateDeadLetters;
  const given = givenOptions(
    { ...options, source, state, tolerateDeadLetters },
    // Also where they are this machine's defaults: those of another may differ.
    { ...origins, source: 'flag', state: 'flag', sink: 'flag', ...(tolerateDeadLetters && asGiven) },
  );
  const foreign = foreignEnvironment(engine.name === 'local' ? {} : process.env, (name) => {
    log.warn(
      `${name} holds a password and is not passed on: give it to the shards as a secret of the engine`,
    );
  });
  return {
    source,
    sink,
    sinkUri: opened.uri,
    state,
    shards,
    variables: {
      ...foreign,
      ...asVariables(given),
      [variableName('shards')]: String(shards),
    },
  };
}

interface Places {
  readonly source: string;
  readonly sink: string;
  readonly state: string;
}

/** What only this machine can see cannot be read, and is lost with the container that writes it. */
function checkPlaces(
  { source, sink, state }: Places,
  options: Options,
  { engine, log }: { readonly engine: Engine; readonly log: Logger },
): void {
  const folderOf = (uri: string): string | undefined => {
    const place = uri.replace(/^(lancedb|jsonl|parquet|manifest):/, '');
    return place.includes('://') ? undefined : place;
  };
  for (const [name, uri] of [
    ['source', source],
    ['sink', sink],
    ['state', state],
    ...(options.sourceManifest === undefined ? [] : [['source-manifest', options.sourceManifest] as const]),
  ] as const) {
    const folder = folderOf(uri);
    if (folder === undefined) continue;
    const isDefaultState = name === 'state' && options.state === undefined;
    if (!isAbsolute(folder) || isDefaultState) {
      throw new EmbatchError(
        'USAGE',
        `--${name} ${isDefaultState ? `is not given and would be ${folder}` : uri}: the shards run on other machines ` +
          `than this one (${engine.place}). Give ${name === 'sink' ? 'a server or a place in S3' : 's3://…'}, or the ` +
          'absolute path of a folder that is mounted in every shard.',
      );
    }
    log.warn(`--${name} ${uri} must be the same folder, mounted at this path, in every shard`);
  }
}

/** Values that the engine does not carry as they are go into a job file in the state; its URI goes into a variable. */
export interface JobFile {
  readonly name: string;
  readonly text: string;
}

/** The fleet as the engine gets it, and the job file that it needs, if any. Error: USAGE. */
export function nameFleet(
  engine: Engine,
  draft: FleetDraft,
  name: string,
): { readonly fleet: Fleet; readonly jobFile: JobFile | undefined } {
  const { source, sink, state, shards, variables } = draft;
  const isRefused = ([, value]: readonly [string, string]): boolean =>
    engine.refusesValue(value) !== undefined;
  const refused = Object.entries(variables).filter(isRefused);
  const foreign = refused.find(([variable]) => !variable.startsWith('EMBATCH_'));
  if (foreign !== undefined) throw cannotCarry(engine, foreign);
  const labels = { source: redactUri(source), sink: redactUri(sink), state: redactUri(state) };
  const kept = Object.fromEntries(Object.entries(variables).filter((entry) => !isRefused(entry)));
  const fleet = { name, shards, arguments: ['run'], labels };
  if (refused.length === 0) return { fleet: { ...fleet, environment: kept }, jobFile: undefined };
  const options = Object.fromEntries(refused.map(([variable, value]) => [keyOf(variable), value]));
  const jobFile = {
    name: `job-files/${name}.json`,
    text: `${JSON.stringify(options, null, 2)}\n`,
  };
  const uri = `${state.replace(/\/+$/, '')}/${jobFile.name}`;
  if (engine.refusesValue(uri) !== undefined) throw cannotCarry(engine, [variableName('config'), uri]);
  return { fleet: { ...fleet, environment: { ...kept, [variableName('config')]: uri } }, jobFile };
}

/** `EMBATCH_BATCH_TOKENS` is `batchTokens` in a job file. */
function keyOf(variable: string): string {
  return variable
    .replace(/^EMBATCH_/, '')
    .toLowerCase()
    .replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function cannotCarry(engine: Engine, [variable, value]: readonly [string, string]): EmbatchError {
  return new EmbatchError(
    'USAGE',
    `${variable} cannot be given to ${engine.name}: its value is ${engine.refusesValue(value) ?? 'refused'} ` +
      `(${value.slice(0, 60)}…).`,
  );
}
