/** Every engine, as lazy imports, like the sinks in job/registry.ts. A new one is a folder in src/engines and a line here. */
import { EmbatchError } from '../../core/errors.js';
import type { Options } from '../../core/options.js';
import type { EngineContext } from '../../engines/context.js';
import { grantedCpus } from '../../embed/cpus.js';
import type { Engine, EngineName } from '../../engines/engine.js';

type EngineFactory = (options: Options, context: EngineContext) => Promise<Engine>;

const engines: Readonly<Partial<Record<EngineName, EngineFactory>>> = {
  local: async (options, context) => {
    const { createLocalEngine } = await import('../../engines/local/create.js');
    return createLocalEngine(options, { ...context, cpus: grantedCpus() });
  },
  sagemaker: async (options, context) => {
    const { createSageMakerEngine } = await import('../../engines/sagemaker/engine.js');
    return createSageMakerEngine(options, context);
  },
  kubernetes: async (options, context) => {
    const { createKubernetesEngine } = await import('../../engines/kubernetes/engine.js');
    return createKubernetesEngine(options, context);
  },
  'aws-batch': async (options, context) => {
    const { createAwsBatchEngine } = await import('../../engines/aws-batch/engine.js');
    return createAwsBatchEngine(options, context);
  },
  ray: async (options, context) => {
    const { createRayEngine } = await import('../../engines/ray/engine.js');
    return createRayEngine(options, context);
  },
};

/** Connects to nothing yet. Error: USAGE where an option of the engine is missing or wrong. */
export async function createEngine(
  name: EngineName,
  options: Options,
  context: EngineContext,
): Promise<Engine> {
  const factory = engines[name];
  if (factory === undefined) throw new EmbatchError('USAGE', `there is no engine ${name}`);
  return factory(options, context);
}
