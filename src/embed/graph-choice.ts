import { posix } from 'node:path';
import { EmbatchError } from '../core/errors.js';
import type { CpuFeatures } from './cpu-features.js';

/** How the numbers of a graph's weights are stored. */
export const precisions = ['fp32', 'fp16', 'int8', 'uint8', 'q4', 'q4f16', 'bnb4'] as const;
export type Precision = (typeof precisions)[number];

export interface GraphRequest {
  /** `auto`: fp32 where there is one, since it is exact; else what comes nearest. */
  readonly precision: Precision | 'auto';
  /** Takes this file and no other: what an index was built with. Its name without folders. */
  readonly file?: string | undefined;
}

export interface GraphChoice {
  /** One of the given paths. */
  readonly file: string;
  /** What the name promises; undefined for names that promise nothing. */
  readonly precision: Precision | undefined;
  /** For people: why this one. */
  readonly reason: string;
}

interface NamedGraph {
  readonly name: RegExp;
  readonly precision: Precision;
  /** Lower is better on this CPU; only compared among graphs of the wanted precision. */
  readonly rank: (cpu: CpuFeatures) => number;
  readonly note: string;
}

const always =
  (rank: number): (() => number) =>
  () =>
    rank;
const UNSUITED = 9;

/**
 * The names of the two exporters that nearly all ONNX files on the Hub come from, optimum and transformers.js, and
 * our own. Products of uint8 and int8 overflow on x86 CPUs without VNNI, hence the preference for the uint8 file
 * there. Source: sbert.net "Speeding up inference", transformers.js `dtypes.js`, ONNX Runtime "Quantization".
 */
const named: readonly NamedGraph[] = [
  { name: /^(text_)?model(_fp32)?\.onnx$/, precision: 'fp32', rank: always(0), note: 'exact' },
  { name: /^model_O[123]\.onnx$/, precision: 'fp32', rank: always(1), note: 'exact, optimised' },
  { name: /^(text_)?model_fp16\.onnx$/, precision: 'fp16', rank: always(0), note: 'half precision' },
  { name: /^model_O4\.onnx$/, precision: 'fp16', rank: always(1), note: 'half precision, made for GPUs' },
  {
    name: /^model_int8_rowwise\.onnx$/,
    precision: 'int8',
    rank: always(0),
    note: 'does not depend on the batch',
  },
  {
    name: /^model_qint8_avx512_vnni\.onnx$/,
    precision: 'int8',
    rank: (cpu) => (cpu.vnni ? 1 : UNSUITED),
    note: 'made for CPUs with VNNI',
  },
  {
    name: /^model_qint8_avx512\.onnx$/,
    precision: 'int8',
    rank: (cpu) => (cpu.vnni ? 2 : UNSUITED),
    note: 'made for CPUs with AVX-512',
  },
  {
    name: /^model_qint8_arm64\.onnx$/,
    precision: 'int8',
    rank: (cpu) => (cpu.arm64 ? 1 : UNSUITED),
    note: 'made for ARM',
  },
  { name: /^(text_)?model_int8\.onnx$/, precision: 'int8', rank: always(4), note: 'for any CPU' },
  { name: /^(text_)?model_quantized\.onnx$/, precision: 'int8', rank: always(5), note: 'for any CPU' },
  {
    name: /^model_quint8_avx2\.onnx$/,
    precision: 'uint8',
    rank: (cpu) => (cpu.arm64 || cpu.vnni ? 6 : 3),
    note: 'made for CPUs with AVX2 and without VNNI',
  },
  { name: /^(text_)?model_uint8\.onnx$/, precision: 'uint8', rank: always(7), note: 'for any CPU' },
  { name: /^(text_)?model_q4f16\.onnx$/, precision: 'q4f16', rank: always(0), note: '4 bits' },
  { name: /^(text_)?model_q4\.onnx$/, precision: 'q4', rank: always(0), note: '4 bits' },
  { name: /^(text_)?model_bnb4\.onnx$/, precision: 'bnb4', rank: always(0), note: '4 bits' },
];

/** The exact file first: wrong vectors cost more than hours. Then what is made for CPUs; fp16 and 4 bits are for GPUs. */
const autoOrder: readonly Precision[] = ['fp32', 'int8', 'uint8', 'fp16', 'q4', 'q4f16', 'bnb4'];

/**
 * Folders that the graph of the text encoder may lie in, relative with `/`, the best first.
 *
 * @param encoderFolder of the encoder's other files; empty for the model's own
 */
export function graphPlaces(encoderFolder: string): string[] {
  return [...new Set([posix.join(encoderFolder, 'onnx'), posix.join(encoderFolder), 'onnx', '.'])];
}

/** True for file names of graphs, but for those of the other half of a model for texts and images. */
export function isTextGraph(name: string): boolean {
  return name.endsWith('.onnx') && !/^(vision|image)_/.test(name);
}

/**
 * Chooses among the ONNX files of a model by their names. Earlier paths win over equal later ones.
 *
 * @param files relative paths with `/`
 * Error: MODEL where there is none, none of the wanted precision, or several that no rule can tell apart.
 */
export function chooseGraph(files: readonly string[], request: GraphRequest, cpu: CpuFeatures): GraphChoice {
  const nameOf = (file: string): string => posix.basename(file);
  const offered = files.map(nameOf).join(', ');
  if (files.length === 0) throw noGraph();
  if (request.file !== undefined) {
    const file = files.find((candidate) => nameOf(candidate) === request.file);
    if (file === undefined) {
      throw new EmbatchError(
        'MODEL',
        `the index was built with the graph ${request.file}, which the model does not have; it has ${offered}.`,
      );
    }
    return { file, precision: promise(file)?.precision, reason: 'the index was built with it' };
  }
  const [only] = files;
  if (files.length === 1 && only !== undefined) {
    const graph = promise(only);
    if (graph === undefined || request.precision === 'auto' || matches(graph.precision, request.precision)) {
      return { file: only, precision: graph?.precision, reason: 'the only one there is' };
    }
  }
  for (const precision of request.precision === 'auto' ? autoOrder : [request.precision]) {
    const [best] = files
      .map((file, index) => ({ file, index, graph: promise(file) }))
      .filter(({ graph }) => graph !== undefined && matches(graph.precision, precision))
      .sort((a, b) => rank(a.graph, cpu) - rank(b.graph, cpu) || a.index - b.index);
    if (best?.graph === undefined) continue;
    const why =
      request.precision === 'auto' ? `the first there is of ${autoOrder.join(', ')}` : 'as asked for';
    return {
      file: best.file,
      precision: best.graph.precision,
      reason: `${best.graph.precision}, ${best.graph.note}; ${why}`,
    };
  }
  if (request.precision === 'auto') {
    throw new EmbatchError(
      'MODEL',
      `the model has several ONNX files and no usual name among them: ${offered}. Name the right one model.onnx, or ` +
        'leave only that one.',
    );
  }
  throw new EmbatchError(
    'MODEL',
    `the model has no ONNX file of precision ${request.precision}; it has ${offered}. Choose another --precision.`,
  );
}

function noGraph(): EmbatchError {
  return new EmbatchError(
    'MODEL',
    'the model has no ONNX file, neither in onnx/ nor beside its config.json. Export one, for instance with ' +
      'sentence-transformers: SentenceTransformer(name, backend="onnx").save_pretrained(folder).',
  );
}

const promise = (file: string): NamedGraph | undefined =>
  named.find(({ name }) => name.test(posix.basename(file)));

/** Who asks for int8 wants eight bits; whether signed ones is for the CPU to say. */
export function matches(offered: Precision, wanted: Precision): boolean {
  return offered === wanted || (wanted === 'int8' && offered === 'uint8');
}

const rank = (graph: NamedGraph | undefined, cpu: CpuFeatures): number => graph?.rank(cpu) ?? UNSUITED;
