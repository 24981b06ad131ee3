import { EmbatchError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import type { Options } from '../core/options.js';
import { checkModel } from '../job/check-model.js';
import { resolveEmbedding, resolveModel } from '../job/embedding.js';
import { startPool } from '../job/engine.js';
import { inspectModel } from '../job/inspect-model.js';
import { listModels } from '../embed/store/list-models.js';
import { pullModel } from '../embed/store/open-model.js';
import { renderCheck, renderInspection, renderList, renderPull } from './models-output.js';
import { openSession, type Session } from './session.js';

export type ModelsAction = 'list' | 'pull' | 'inspect' | 'check';

/** `embatch models …`: gives the exit code. */
export async function modelsCommand(
  action: ModelsAction,
  model: string | undefined,
  flags: Record<string, unknown>,
): Promise<number> {
  const flag = flags['model'] as string | undefined;
  if (model !== undefined && flag !== undefined && flag !== model) {
    throw new EmbatchError('USAGE', `two models are named: ${model} and --model ${flag}.`);
  }
  const session = await openSession(`models ${action}`, { ...flags, model: flag ?? model });
  return actions[action](session);
}

const actions: Readonly<Record<ModelsAction, (session: Session) => Promise<number>>> = {
  list: async ({ options }) => {
    const models = await listModels();
    print(options, { models }, renderList(models));
    return exitCodes.ok;
  },
  pull: async ({ options, log }) => {
    const pulled = await pullModel(options.model, { precision: options.precision, log });
    print(options, pulled, renderPull(pulled));
    return exitCodes.ok;
  },
  inspect: async ({ options, origins, log }) => {
    const embedding = resolveEmbedding(await resolveModel(options, { log }), options);
    const inspection = inspectModel(embedding, origins);
    print(options, inspection, renderInspection(inspection));
    return exitCodes.ok;
  },
  check: async ({ options, log }) => {
    const embedding = resolveEmbedding(await resolveModel(options, { log }), options);
    const { model } = embedding;
    const reference = options.reference ?? model.reference;
    if (reference === undefined) {
      throw new EmbatchError(
        'USAGE',
        `${model.folder} has no reference.jsonl of its own: name reference vectors with --reference.`,
      );
    }
    for (const notice of model.notices) log.warn(notice);
    const pool = await startPool(embedding, { ...options, workers: 1, log });
    try {
      const check = await checkModel(pool, model, reference, options.minCosine);
      print(options, { model: model.id, reference, ...check }, renderCheck(model, check));
      return check.failed === 0 ? exitCodes.ok : exitCodes.model;
    } finally {
      await pool.close();
    }
  },
};

function print(options: Options, value: unknown, text: string): void {
  process.stdout.write(options.json ? `${JSON.stringify(value)}\n` : text);
}
