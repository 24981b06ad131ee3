import type { Model } from '../model/model.js';
import { CancelledError, type WorkerControl } from '../pool.js';
import { planBatches } from './batches.js';
import type { BatchEncoder, Side } from './encoder.js';
import { createGraphEncoder } from './graph-encoder.js';
import { createVectorSteps } from './steps.js';
import { createTableEncoder, loadTable, type Table } from './table-encoder.js';

export interface EmbedOptions {
  readonly side: Side;
  /** Tokens at the start of every input that belong to the prompt, a special token before it included. */
  readonly promptTokens: number;
  /**
   * Where given, a batch that fails is cut in halves until what fails is an input alone, and that is told here; its
   * vector stays zeros, and no other input suffers.
   */
  readonly onFailure?: InputFailed | undefined;
}

/** @param index of the input that the model fails on */
export type InputFailed = (index: number, error: unknown) => void;

export interface Embedder {
  /**
   * Runs the model once on that token id, in rows of unlike lengths, so that a model that cannot work says so before
   * any text is read. Error: MODEL, for one where the model's table ends before that id.
   */
  tryId(id: number): Promise<void>;
  /**
   * Embeds token ids (special tokens included, at most `maxTokens` each) in batches of its own choice. An input
   * without tokens gets a vector of zeros.
   *
   * Rejects with a CancelledError between two batches once the pool was cancelled; with the error of the model
   * where it fails on a batch and `onFailure` is not given.
   *
   * @returns [inputs.length, dimensions], row-major float32, in the order of the inputs
   */
  embed(inputs: readonly Int32Array[], options: EmbedOptions): Promise<Float32Array<ArrayBuffer>>;
}

export interface EmbedderOptions {
  /** Padded tokens in one model call. */
  readonly batchTokens: number;
  readonly control?: WorkerControl | undefined;
  /** Of a static model, where another thread has loaded it; else it is loaded here. */
  readonly table?: Table | undefined;
}

/** Opens the model in this thread. Model calls block the thread, so this belongs into a worker. Error: MODEL. */
export async function createEmbedder(
  model: Model,
  { batchTokens, control, table }: EmbedderOptions,
): Promise<Embedder> {
  const encoder = await openEncoder(model, table);
  const finish = await createVectorSteps(model.steps);

  return {
    async tryId(id) {
      const rows = [Int32Array.of(id), Int32Array.of(id, id)];
      for (const vector of await encoder.encode(rows, 'plain', 0)) finish(vector);
    },
    async embed(inputs, { side, promptTokens, onFailure }) {
      const vectors = new Float32Array(inputs.length * model.dimensions);
      const filled = [...inputs.keys()].filter((index) => inputs[index]?.length !== 0);
      const lengths = filled.map((index) => inputs[index]?.length ?? 0);

      const embedBatch = async (indices: readonly number[]): Promise<void> => {
        if (control !== undefined && Atomics.load(control.cancelled, 0) === 1) {
          throw new CancelledError('cancelled');
        }
        const rows = indices.map((index) => inputs[index] as Int32Array);
        const pooled = await encoder.encode(rows, side, promptTokens);
        pooled.forEach((vector, r) => {
          vectors.set(finish(vector), (indices[r] as number) * model.dimensions);
        });
        if (control !== undefined) {
          const tokens = rows.reduce((sum, row) => sum + row.length, 0);
          Atomics.add(control.tokens, 0, BigInt(tokens));
        }
      };
      const embedApart = async (indices: readonly number[], told: InputFailed): Promise<void> => {
        try {
          await embedBatch(indices);
        } catch (error) {
          if (error instanceof CancelledError) throw error;
          const [first] = indices;
          if (indices.length === 1 && first !== undefined) {
            told(first, error);
            return;
          }
          const middle = indices.length >> 1;
          await embedApart(indices.slice(0, middle), told);
          await embedApart(indices.slice(middle), told);
        }
      };

      for (const batch of planBatches(lengths, batchTokens)) {
        const indices = batch.map((position) => filled[position] as number);
        await (onFailure === undefined ? embedBatch(indices) : embedApart(indices, onFailure));
      }
      return vectors;
    },
  };
}

async function openEncoder({ encoder, steps }: Model, table: Table | undefined): Promise<BatchEncoder> {
  if (encoder.kind === 'table') return createTableEncoder(encoder, table ?? (await loadTable(encoder)));
  return await createGraphEncoder(
    encoder,
    steps.find((step) => step.kind === 'pooling'),
  );
}
