import * as untyped from '@huggingface/tokenizers';

/**
 * What is used of the library. Its own declarations import each other by paths without an ending, which Node's
 * resolution does not find, so that all of it would be `any`.
 */
interface Library {
  readonly WordPiece: new (config: object) => LibraryModel;
  readonly BPE: new (config: object) => LibraryModel;
  readonly SplitPreTokenizer: new (config: object) => { readonly pattern: RegExp | null };
}

/** Spells pieces as tokens. */
export interface LibraryModel {
  (pieces: string[]): string[];
  readonly tokens_to_ids: ReadonlyMap<string, number>;
  readonly unk_token_id: number | undefined;
}

// The library's own types leave out what is named above.
export const library = untyped as unknown as Library;
