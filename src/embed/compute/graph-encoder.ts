import { InferenceSession, Tensor } from 'onnxruntime-node';
import { EmbatchError, describeError } from '../../core/errors.js';
import type { GraphEncoder, GraphInput, Step } from '../model/model.js';
import type { BatchEncoder, Side } from './encoder.js';
import { float16ToFloat32 } from './numbers.js';
import { pool } from './pooling.js';

/**
 * Opens the graph in this thread: one session, one thread, no spinning. Calls block the thread, so this belongs
 * into a worker. Error: MODEL.
 *
 * @param pooling what makes one vector of many; undefined where the graph does so itself
 */
export async function createGraphEncoder(
  graph: GraphEncoder,
  pooling: (Step & { kind: 'pooling' }) | undefined,
): Promise<BatchEncoder> {
  const session = await openSession(graph.file);
  return {
    async encode(rows, side, promptTokens) {
      const length = Math.max(...rows.map((row) => row.length));
      const output = await run(session, graph, layOut(rows, length, graph), side);
      if (pooling === undefined) {
        return rows.map((_, r) => output.slice(r * graph.width, (r + 1) * graph.width));
      }
      return rows.map((row, r) => {
        const vector = new Float32Array(graph.width * pooling.modes.length);
        const first = r * length + (graph.paddingSide === 'left' ? length - row.length : 0);
        const skip = pooling.includePrompt ? 0 : promptTokens;
        pool(output, first * graph.width, { tokens: row.length, skip }, graph.width, pooling.modes, vector);
        return vector;
      });
    },
  };
}

async function openSession(file: string): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(file, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
      // Shapes vary from batch to batch, so a remembered pattern of one is no use to the next.
      enableMemPattern: false,
      // Errors are thrown with the same words; on stderr they would stand a second time, in the middle of our logs.
      logSeverityLevel: 4,
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    });
  } catch (error) {
    throw new EmbatchError('MODEL', `${file} cannot be opened: ${describeError(error)}`, { cause: error });
  }
}

/** What a batch looks like to the graph, as numbers below 2³¹. */
interface Layout {
  readonly rows: number;
  readonly length: number;
  readonly ids: Int32Array;
  readonly mask: Int32Array;
  readonly positions: Int32Array;
}

/** Masked positions get this number where the graph takes positions, as in the reference. */
const MASKED_POSITION = 1;

function layOut(rows: readonly Int32Array[], length: number, graph: GraphEncoder): Layout {
  const size = rows.length * length;
  const ids = new Int32Array(size).fill(graph.paddingId);
  const mask = new Int32Array(size);
  const positions = new Int32Array(size).fill(MASKED_POSITION);
  rows.forEach((row, r) => {
    const start = r * length + (graph.paddingSide === 'left' ? length - row.length : 0);
    ids.set(row, start);
    mask.fill(1, start, start + row.length);
    for (let position = 0; position < row.length; position++) positions[start + position] = position;
  });
  return { rows: rows.length, length, ids, mask, positions };
}

function feed(input: GraphInput, batch: Layout, side: Side): Tensor {
  const shape = [batch.rows, batch.length];
  switch (input.kind) {
    case 'ids':
      return integers(batch.ids, input.type, shape);
    case 'mask':
      return integers(batch.mask, input.type, shape);
    case 'positions':
      return integers(batch.positions, input.type, shape);
    case 'types':
      return integers(new Int32Array(batch.ids.length), input.type, shape);
    case 'past': {
      const none = [batch.rows, input.heads, 0, input.headSize];
      return input.type === 'float32'
        ? new Tensor('float32', new Float32Array(), none)
        : new Tensor('float16', new Uint16Array(), none);
    }
    case 'task':
      return new Tensor(
        'int64',
        BigInt64Array.of(BigInt(side === 'query' ? input.query : input.document)),
        input.rank === 0 ? [] : [1],
      );
    case 'no-cache':
      return new Tensor('bool', Uint8Array.of(0), [1]);
  }
}

function integers(values: Int32Array, type: 'int64' | 'int32', shape: readonly number[]): Tensor {
  if (type === 'int32') return new Tensor('int32', values, shape);
  const wide = new BigInt64Array(values.length);
  // Low words of the little-endian int64s, the high ones staying 0: half the cost of writing BigInts.
  const words = new Int32Array(wide.buffer);
  for (let index = 0; index < values.length; index++) words[2 * index] = values[index] as number;
  return new Tensor('int64', wide, shape);
}

/** [rows, length, width], or [rows, width] where the graph pools; float32, row-major. Error: MODEL. */
async function run(
  session: InferenceSession,
  graph: GraphEncoder,
  batch: Layout,
  side: Side,
): Promise<Float32Array> {
  let output: Tensor | undefined;
  try {
    const feeds = Object.fromEntries(graph.inputs.map((input) => [input.name, feed(input, batch, side)]));
    output = (await session.run(feeds, [graph.output]))[graph.output];
  } catch (error) {
    throw new EmbatchError(
      'MODEL',
      `${graph.file} failed on a batch of ${batch.rows} × ${batch.length} tokens: ${describeError(error)}` +
        explainFailure(describeError(error), batch),
      { cause: error },
    );
  }
  const expected = graph.pooled ? [batch.rows, graph.width] : [batch.rows, batch.length, graph.width];
  if (output?.dims.join() === expected.join()) {
    if (output.data instanceof Float32Array) return output.data;
    if (output.type === 'float16') {
      // A Float16Array where the platform has one, else the bits.
      const { buffer, byteOffset, length } = output.data as Uint16Array;
      return float16ToFloat32(new Uint16Array(buffer, byteOffset, length));
    }
  }
  throw new EmbatchError(
    'MODEL',
    `${graph.file} gave ${graph.output} of ${output?.type ?? 'no'} [${output?.dims.join(', ') ?? ''}] where the model's ` +
      `configuration promises [${expected.join(', ')}]: graph and configuration belong to different models.`,
  );
}

/** So many tokens fit into any model. */
const FEW_TOKENS = 8;

/** What a failure most likely means: the words of ONNX Runtime name no cause. */
function explainFailure(words: string, { ids, length }: Layout): string {
  const index = /out of data bounds, idx=(-?\d+)/.exec(words)?.[1];
  const largest = ids.reduce((a, b) => Math.max(a, b), 0);
  if (index !== undefined && Number(index) === largest) {
    return `. The tokenizer has a token ${largest} and the graph does not: tokenizer and model do not belong together.`;
  }
  if (length <= FEW_TOKENS) return '';
  return `. Where shorter texts pass, the graph has fewer than ${length} positions: give --max-tokens.`;
}
