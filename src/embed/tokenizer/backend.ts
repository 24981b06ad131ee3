import type * as NativeLibrary from 'tokenizers';
import { EmbatchError, describeError } from '../../core/errors.js';

export type TokenizerBackend = 'native' | 'javascript';

/**
 * Which backend to use: the native library unless it cannot be loaded on this platform. `reason` says in words why
 * it could not, undefined where there is nothing to say. Error: MODEL, where `native` is asked for and cannot be
 * had.
 */
export async function resolveTokenizerBackend(
  choice: 'auto' | TokenizerBackend,
): Promise<{ backend: TokenizerBackend; reason: string | undefined }> {
  if (choice === 'javascript') return { backend: 'javascript', reason: undefined };
  try {
    await loadNativeLibrary();
    return { backend: 'native', reason: undefined };
  } catch (error) {
    if (choice !== 'auto') throw error;
    return { backend: 'javascript', reason: whyNotNative((error as EmbatchError).cause) };
  }
}

function whyNotNative(cause: unknown): string {
  return (
    `the native tokenizer library cannot be loaded on ${process.platform}-${process.arch} ` +
    `(${describeError(cause)})`
  );
}

/** Error: MODEL, where there is no build of it for this platform. */
export async function loadNativeLibrary(): Promise<typeof NativeLibrary> {
  // Native calls work on threads of their own; more of them than workers would only get in each other's way. Read
  // by the library when it starts its threads.
  process.env['RAYON_NUM_THREADS'] ??= '1';
  try {
    return await import('tokenizers');
  } catch (error) {
    throw new EmbatchError(
      'MODEL',
      `${whyNotNative(error)}. Install embatch again on this machine with its dependencies, or use ` +
        '--tokenizer javascript.',
      { cause: error },
    );
  }
}
