import type { Precision } from '../graph-choice.js';
import type { TokenizerSpec } from '../tokenizer/tokenizer.js';
import type { PoolingMode } from '../compute/pooling.js';
import type { Activation } from '../compute/activations.js';

export interface ModelLocation {
  /** Name in recipes: equal for the same model on every machine. */
  readonly id: string;
  /** The commit of a model from the hub; else null. */
  readonly revision: string | null;
  /** Absolute. */
  readonly folder: string;
}

/** A model as its authors meant it: plain data, so that it can be printed, and sent to worker threads. */
export interface Model extends ModelLocation {
  /** Turns tokens into token vectors, or into a vector at once. */
  readonly encoder: GraphEncoder | TableEncoder;
  /** What becomes of the encoder's output, in this order. */
  readonly steps: readonly Step[];
  readonly tokenizer: TokenizerSpec;
  /** Longest input in tokens, special tokens included; Infinity where there is no limit. */
  readonly maxTokens: number;
  /** Width of a vector. */
  readonly dimensions: number;
  /** Put in front of a text before it is tokenised. */
  readonly documentPrompt: string;
  readonly queryPrompt: string;
  readonly precision: Precision;
  /**
   * False for graphs that quantise activations over a whole batch: the same text then has different vectors
   * alone and in a batch (docs/models.md).
   */
  readonly batchInvariant: boolean;
  /** SHA-256 in hex of what was read. */
  readonly hashes: { readonly weights: string; readonly tokenizer: string; readonly configs: string };
  /** The model's own reference vectors, checked before a run writes anything. */
  readonly reference: string | undefined;
  /** Where each resolved value comes from, by its name in the recipe. */
  readonly origins: Readonly<Record<string, string>>;
  /** What someone who runs this model should know. */
  readonly notices: readonly string[];
}

/** An ONNX graph, and everything that it must be fed with. */
export interface GraphEncoder {
  readonly kind: 'graph';
  readonly file: string;
  readonly inputs: readonly GraphInput[];
  /** The output that is read. */
  readonly output: string;
  /** True where the output is [batch, width]: one vector per text instead of one per token. */
  readonly pooled: boolean;
  /** Width of the output. */
  readonly width: number;
  /** Left only for graphs that pool inside and take their last position for the last token. */
  readonly paddingSide: 'left' | 'right';
  readonly paddingId: number;
}

export type GraphInput =
  | {
      readonly kind: 'ids' | 'mask' | 'types' | 'positions';
      readonly name: string;
      readonly type: 'int64' | 'int32';
    }
  /** Keys or values of tokens that came before: none, [batch, heads, 0, headSize]. */
  | {
      readonly kind: 'past';
      readonly name: string;
      readonly type: 'float32' | 'float16';
      readonly heads: number;
      readonly headSize: number;
    }
  /** Selects the adapter of models that were trained for several tasks. */
  | {
      readonly kind: 'task';
      readonly name: string;
      readonly rank: 0 | 1;
      readonly document: number;
      readonly query: number;
    }
  /** Tells a merged decoder graph that there are no keys and values of earlier tokens. */
  | { readonly kind: 'no-cache'; readonly name: string };

/** A table of one vector per token, averaged: no graph at all. */
export interface TableEncoder {
  readonly kind: 'table';
  /** safetensors. */
  readonly file: string;
  /** Name of the tensor of vectors, [rows, width]. */
  readonly vectors: string;
  /** Tensor of one factor per token id, if any. */
  readonly weights: string | undefined;
  /** Tensor of the row of each token id, where several tokens share one. */
  readonly mapping: string | undefined;
  readonly width: number;
  /** Texts are cut at so many code points before they are tokenised, as model2vec does; Infinity elsewhere. */
  readonly maxCharacters: number;
}

export type Step =
  | {
      readonly kind: 'pooling';
      /** Concatenated in this order. */
      readonly modes: readonly PoolingMode[];
      /** False: the prompt's tokens are left out. */
      readonly includePrompt: boolean;
    }
  | {
      readonly kind: 'dense';
      /** safetensors with `linear.weight` [out, in], and `linear.bias` [out]. */
      readonly file: string;
      readonly inFeatures: number;
      readonly outFeatures: number;
      readonly bias: boolean;
      readonly activation: Activation;
      /** Adds the input, through `residual.weight` where the widths differ. */
      readonly residual: boolean;
    }
  /** To mean 0 and variance 1, then `norm.weight` and `norm.bias` of the file where there is one. */
  | { readonly kind: 'layer-norm'; readonly file: string | undefined }
  | { readonly kind: 'normalize' }
  /** Keeps the first so many elements. */
  | { readonly kind: 'cut'; readonly dimensions: number };

/** A value and, for people, where it comes from. */
export interface Resolved<Value> {
  readonly value: Value;
  readonly origin: string;
}

/** What a caller may decide beside the model's own files; undefined leaves it to them. */
export interface ModelOptions {
  readonly precision: Precision | 'auto';
  /** The graph an index was built with, by name. */
  readonly graphFile?: string | undefined;
  readonly maxTokens?: number | undefined;
  readonly dimensions?: number | undefined;
  /** Cut vectors of models that were not trained for it. */
  readonly forceDimensions?: boolean | undefined;
  readonly documentPrompt?: string | undefined;
  readonly queryPrompt?: string | undefined;
}
