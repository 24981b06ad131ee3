import { access, readdir, stat } from 'node:fs/promises';
import { dirname, join, posix, relative, resolve } from 'node:path';
import { EmbatchError } from '../../core/errors.js';
import { cpuFeatures } from '../cpu-features.js';
import { chooseGraph, graphPlaces, isTextGraph, matches, type Precision } from '../graph-choice.js';
import { readOnnxFile, type OnnxFile } from '../onnx-file.js';
import { refuseStandInFile } from '../stand-in.js';
import { readTokenizerFile } from '../tokenizer/tokenizer-file.js';
import { planGraph, quantisesBatch, storedPrecision } from './graph-plan.js';
import { checkWidths } from './check-widths.js';
import { hashConfigs, hashWeights, sentenceBertNames } from './hashes.js';
import { readJson } from './json-file.js';
import { findKnownModel, type KnownModel } from './known-models.js';
import { resolveMaxTokens } from './max-tokens.js';
import type {
  GraphEncoder,
  Model,
  ModelLocation,
  ModelOptions,
  Resolved,
  Step,
  TableEncoder,
} from './model.js';
import { readModules, type Modules } from './modules.js';
import { resolvePrompts } from './prompts.js';
import { planTable } from './table-plan.js';
import { resolveWidth } from './width.js';

/**
 * Reads a model's own files and resolves every rule that decides a vector; opens no session. Whatever is not
 * understood is refused by name, since a guess would give healthy-looking wrong vectors.
 * Errors: MODEL; USAGE for options that the model cannot meet.
 */
export async function loadModel(location: ModelLocation, options: ModelOptions): Promise<Model> {
  const { folder } = location;
  const rootConfig = await readJson(folder, 'config.json', { optional: true });
  const known = findKnownModel([location.id, baseName(rootConfig)]);
  const modules = await readModules(folder, known);
  const home = join(folder, modules.path);
  const [config, tokenizerConfig, sentenceConfig] = await Promise.all([
    readJson(home, 'config.json', { optional: true }),
    readJson(home, 'tokenizer_config.json', { optional: true }),
    readJson(folder, 'config_sentence_transformers.json', { optional: true }),
  ]);
  const read: Read = { location, home, config, tokenizerConfig, known, modules, options };
  const encoded = modules.encoder === 'static' ? await loadTable(read) : await loadGraph(read);
  const steps = encoded.steps;
  const own = await checkWidths(encoded.encoder, steps, modules, folder);
  const cut = resolveWidth({ own, known, config, sentenceConfig }, options);
  const prompts = resolvePrompts(sentenceConfig, known, options);
  const isPooled = encoded.encoder.kind === 'graph' && encoded.encoder.pooled;
  const stepsOrigin = isPooled ? 'the graph, which does the rest itself' : modules.origin;
  const tokenizer = { file: join(home, 'tokenizer.json'), ...encoded.tokenizer };
  // Found out here, in its own words, rather than by the first worker.
  await readTokenizerFile(tokenizer);
  const weights = weightFiles(encoded, steps);
  const [weightsHash, tokenizerHash, configs] = await Promise.all([
    hashWeights(weights),
    hashWeights([tokenizer.file]),
    hashConfigs(folder, modules.path, modules.files),
  ]);
  return {
    ...location,
    encoder: encoded.encoder,
    steps: [...steps, ...cut.steps],
    tokenizer,
    maxTokens: encoded.maxTokens.value,
    dimensions: cut.dimensions.value,
    documentPrompt: prompts.document.value,
    queryPrompt: prompts.query.value,
    precision: encoded.precision.value,
    batchInvariant: encoded.batchInvariant,
    hashes: { weights: weightsHash, tokenizer: tokenizerHash, configs },
    reference: await ifThere(join(folder, 'reference.jsonl')),
    origins: {
      model: 'the reference to it',
      revision: location.revision === null ? 'only models of the hub have one' : 'commit of the hub',
      weights: `SHA-256 of ${weights.map((file) => relative(folder, file)).join(', ')}`,
      tokenizer: `SHA-256 of ${relative(folder, tokenizer.file)}`,
      configs: 'SHA-256 of the configuration files',
      graph: encoded.precision.origin,
      precision: 'what the weights are stored as',
      maxTokens: encoded.maxTokens.origin,
      output: 'the graph',
      padding: 'tokenizer_config.json, and whether the graph pools',
      tasks: 'the graph and config.json',
      steps: stepsOrigin,
      pooling: stepsOrigin,
      includePrompt: stepsOrigin,
      dense: stepsOrigin,
      normalize: stepsOrigin,
      dimensions: cut.dimensions.origin,
      documentPrompt: prompts.document.origin,
      queryPrompt: prompts.query.origin,
      batchInvariant: 'operators of the graph',
    },
    // What a graph does itself was not assumed.
    notices: [...(isPooled ? [] : modules.notices), ...encoded.notices, ...prompts.notices],
  };
}

const baseName = ({ _name_or_path: name }: Record<string, unknown>): string | undefined =>
  typeof name === 'string' ? name : undefined;

/** What is known before the encoder is looked at. */
interface Read {
  readonly location: ModelLocation;
  /** Folder of the encoder's files. */
  readonly home: string;
  readonly config: Record<string, unknown>;
  readonly tokenizerConfig: Record<string, unknown>;
  readonly known: KnownModel | undefined;
  readonly modules: Modules;
  readonly options: ModelOptions;
}

interface Encoded {
  readonly encoder: GraphEncoder | TableEncoder;
  readonly steps: readonly Step[];
  /** All files with its weights. */
  readonly files: readonly string[];
  readonly tokenizer: Omit<Model['tokenizer'], 'file'>;
  readonly maxTokens: Resolved<number>;
  readonly precision: Resolved<Model['precision']>;
  readonly batchInvariant: boolean;
  readonly notices: readonly string[];
}

async function loadTable({ home, config, modules, options }: Read): Promise<Encoded> {
  const plan = await planTable(home, config, modules.steps);
  if (options.precision !== 'auto' && !matches(plan.precision, options.precision)) {
    throw new EmbatchError(
      'MODEL',
      `${plan.encoder.file} holds ${plan.precision} vectors, not ${options.precision}; choose --precision auto.`,
    );
  }
  const given = options.maxTokens;
  return {
    encoder: plan.encoder,
    steps: plan.steps,
    files: [plan.encoder.file],
    tokenizer: { lowercase: false, specialTokens: false, dropUnknown: plan.dropUnknown },
    maxTokens: given === undefined ? plan.maxTokens : { value: given, origin: '--max-tokens' },
    precision: { value: plan.precision, origin: 'model.safetensors' },
    batchInvariant: true,
    notices: [],
  };
}

async function loadGraph(read: Read): Promise<Encoded> {
  const { location, home, config, tokenizerConfig, modules, options } = read;
  const { folder } = location;
  const choice = chooseGraph(
    await graphFiles(folder, modules.path),
    { precision: options.precision, file: options.graphFile },
    cpuFeatures(),
  );
  const file = join(folder, choice.file);
  const onnx = readOnnxFile(file);
  const precision = storedPrecision(onnx);
  if (options.precision !== 'auto' && isPlain(precision) && !matches(precision, options.precision)) {
    throw new EmbatchError(
      'MODEL',
      `${file} holds ${precision} weights, not ${options.precision}; choose --precision auto to use it as what it is.`,
    );
  }
  const own = await sentenceBertConfig(home);
  refuseOtherTask(own);
  const { encoder, steps } = planGraph({
    file,
    onnx,
    config,
    tokenizerConfig,
    steps: modules.steps,
    declared: modules.declared,
  });
  return {
    encoder,
    steps,
    files: [file, ...(await externalFiles(file, onnx))],
    tokenizer: { lowercase: own.config['do_lower_case'] === true, specialTokens: true, dropUnknown: false },
    maxTokens: resolveMaxTokens({ folder, own, tokenizerConfig, config, given: options.maxTokens }),
    precision: { value: precision, origin: `${choice.file} (${choice.reason})` },
    batchInvariant: !quantisesBatch(onnx),
    notices: quantisesBatch(onnx) ? [batchNotice(file)] : [],
  };
}

/** Precisions that are read off the weights without doubt; packed ones have many forms. */
const isPlain = (precision: Precision): boolean => ['fp32', 'fp16', 'int8', 'uint8'].includes(precision);

const batchNotice = (file: string): string =>
  `${file} quantises over whole batches (dynamic int8): a text's vector depends on the texts it is batched with. ` +
  '--precision fp32 has no such dependence, where the model offers it.';

/** Relative paths with `/` of all ONNX files that may be the text encoder, the best places first. */
async function graphFiles(folder: string, modulePath: string): Promise<string[]> {
  const found: string[] = [];
  for (const place of graphPlaces(modulePath)) {
    const names = await readdir(join(folder, place)).catch((): string[] => []);
    for (const name of [...names].sort()) {
      if (isTextGraph(name)) found.push(posix.join(place, name));
    }
  }
  return found;
}

/** Files with weights beside the graph; each must be as long as the graph says. Error: MODEL. */
async function externalFiles(graph: string, onnx: OnnxFile): Promise<string[]> {
  const files = onnx.externalFiles.map((name) => ({ name, file: externalFile(graph, name) }));
  for (const { name, file } of files) {
    const wanted = onnx.externalBytes.get(name) ?? 0;
    const size = (await stat(file).catch(() => undefined))?.size;
    if (size === undefined || size >= wanted) continue;
    await refuseStandInFile(file);
    throw new EmbatchError(
      'MODEL',
      `${file} has ${size} bytes, the graph ${graph} needs ${wanted} of it: fetch it again.`,
    );
  }
  return files.map(({ file }) => file);
}

function externalFile(graph: string, name: string): string {
  const folder = dirname(graph);
  const file = resolve(folder, name);
  if (file.startsWith(`${folder}/`) || file.startsWith(`${folder}\\`)) return file;
  throw new EmbatchError('MODEL', `${graph} keeps weights in ${name}, which is outside of its folder.`);
}

interface SentenceBertConfig {
  readonly file: string;
  readonly config: Record<string, unknown>;
}

async function sentenceBertConfig(home: string): Promise<SentenceBertConfig> {
  for (const file of sentenceBertNames) {
    if ((await ifThere(join(home, file))) !== undefined) return { file, config: await readJson(home, file) };
  }
  return { file: sentenceBertNames[0], config: {} };
}

function refuseOtherTask({ file, config }: SentenceBertConfig): void {
  const task = config['transformer_task'] ?? 'feature-extraction';
  if (task !== 'feature-extraction') {
    throw new EmbatchError(
      'MODEL',
      `${file} says transformer_task ${JSON.stringify(task)}; embeddings need feature-extraction.`,
    );
  }
  if (config['query_expansion'] !== undefined && config['query_expansion'] !== null) {
    throw new EmbatchError('MODEL', `${file} asks for query_expansion, which late-interaction models need.`);
  }
}

function weightFiles(encoded: Encoded, steps: readonly Step[]): string[] {
  const own = steps.flatMap((step) => ('file' in step && step.file !== undefined ? [step.file] : []));
  return [...encoded.files, ...own];
}

async function ifThere(file: string): Promise<string | undefined> {
  return access(file).then(
    () => file,
    () => undefined,
  );
}
