import { InferenceSession, Tensor } from 'onnxruntime-node';
import { EmbatchError, describeError } from '../core/errors.js';
import type { Model } from './model.js';
import { planBatches } from './batches.js';
import { normalize, pool } from './pooling.js';
import { CancelledError, type WorkerControl } from './pool.js';

export interface Embedder {
  /**
   * Embeds token ids (special tokens included, at most `maxTokens` each) in batches of its own choice.
   *
   * Rejects with a CancelledError between two batches once the pool was cancelled.
   *
   * @returns [inputs.length, dimensions], row-major float32, in the order of the inputs
   */
  embed(inputs: readonly Int32Array[]): Promise<Float32Array<ArrayBuffer>>;
}

const knownInputs = ['input_ids', 'attention_mask', 'token_type_ids'];
const hiddenStateOutputs = ['last_hidden_state', 'token_embeddings'];

/**
 * Opens the model in this thread: one session, one thread, no spinning. Model calls block the thread, so this
 * belongs into a worker. Error: MODEL.
 */
export async function createEmbedder(
  model: Model,
  batchTokens: number,
  control?: WorkerControl,
): Promise<Embedder> {
  const session = await openSession(model);
  const output = hiddenStateOutputs.find((name) => session.outputNames.includes(name));
  const unknown = session.inputNames.filter((name) => !knownInputs.includes(name));
  if (output === undefined || unknown.length > 0) {
    throw new EmbatchError(
      'MODEL',
      `${model.graph} has inputs ${session.inputNames.join(', ')} and outputs ${session.outputNames.join(', ')}; ` +
        `this version understands inputs ${knownInputs.join(', ')} and an output ${hiddenStateOutputs.join(' or ')}.`,
    );
  }

  const embedBatch = async (
    inputs: readonly Int32Array[],
    batch: readonly number[],
    vectors: Float32Array,
  ) => {
    const rows = batch.map((index) => inputs[index] as Int32Array);
    const sequence = Math.max(...rows.map((row) => row.length));
    const hidden = await run(session, padded(rows, sequence), output, model);
    rows.forEach((row, r) => {
      const start = (batch[r] as number) * model.dimensions;
      const vector = vectors.subarray(start, start + model.dimensions);
      pool(hidden, r * sequence * model.hiddenSize, row.length, model.hiddenSize, model.pooling, vector);
      if (model.normalize) normalize(vector);
    });
  };

  return {
    async embed(inputs) {
      const vectors = new Float32Array(inputs.length * model.dimensions);
      for (const batch of planBatches(
        inputs.map((input) => input.length),
        batchTokens,
      )) {
        if (control !== undefined && Atomics.load(control.cancelled, 0) === 1)
          throw new CancelledError('cancelled');
        await embedBatch(inputs, batch, vectors);
        if (control !== undefined) {
          const tokens = batch.reduce((sum, index) => sum + (inputs[index]?.length ?? 0), 0);
          Atomics.add(control.tokens, 0, BigInt(tokens));
        }
      }
      return vectors;
    },
  };
}

async function openSession(model: Model): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(model.graph, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
      // Shapes vary from batch to batch, so a remembered pattern of one is no use to the next.
      enableMemPattern: false,
      logSeverityLevel: 3,
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    });
  } catch (error) {
    throw new EmbatchError('MODEL', `${model.graph} cannot be opened: ${describeError(error)}`, {
      cause: error,
    });
  }
}

interface Padded {
  readonly ids: BigInt64Array;
  readonly mask: BigInt64Array;
  readonly shape: readonly [number, number];
}

function padded(rows: readonly Int32Array[], sequence: number): Padded {
  const ids = new BigInt64Array(rows.length * sequence);
  const mask = new BigInt64Array(rows.length * sequence);
  // Low words of the little-endian int64s, the high ones staying 0: half the cost of writing BigInts.
  const idWords = new Int32Array(ids.buffer);
  const maskWords = new Int32Array(mask.buffer);
  rows.forEach((row, r) => {
    for (let column = 0; column < row.length; column++) {
      const word = 2 * (r * sequence + column);
      idWords[word] = row[column] as number;
      maskWords[word] = 1;
    }
  });
  return { ids, mask, shape: [rows.length, sequence] };
}

async function run(
  session: InferenceSession,
  batch: Padded,
  output: string,
  model: Model,
): Promise<Float32Array> {
  const shape = [...batch.shape];
  const feeds: Record<string, Tensor> = {
    input_ids: new Tensor('int64', batch.ids, shape),
    attention_mask: new Tensor('int64', batch.mask, shape),
  };
  if (session.inputNames.includes('token_type_ids')) {
    feeds['token_type_ids'] = new Tensor('int64', new BigInt64Array(batch.ids.length), shape);
  }
  let hidden: Tensor | undefined;
  try {
    hidden = (await session.run(feeds, [output]))[output];
  } catch (error) {
    throw new EmbatchError(
      'MODEL',
      `${model.graph} failed on a batch of ${shape.join(' × ')} tokens: ${describeError(error)}`,
      { cause: error },
    );
  }
  const expected = [...shape, model.hiddenSize];
  if (!(hidden?.data instanceof Float32Array) || hidden.dims.join() !== expected.join()) {
    throw new EmbatchError(
      'MODEL',
      `${model.graph} gave ${output} of ${hidden?.type ?? 'no'} [${hidden?.dims.join(', ') ?? ''}] where config.json ` +
        `promises float32 [${expected.join(', ')}].`,
    );
  }
  return hidden.data;
}
