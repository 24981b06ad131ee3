import type { Abortable } from '../../core/interfaces.js';

/** Where the files of a JSONL index lie: a folder or an S3 prefix. Errors are those of the file system or of S3. */
export interface Place {
  /** For messages. */
  readonly uri: string;
  /** Names of all files directly in it; none where it does not exist. */
  list(options?: Abortable): Promise<string[]>;
  read(name: string, options?: Abortable): AsyncIterable<Uint8Array>;
  /** Creates with this content, durably; false where the name exists. */
  create(name: string, bytes: Uint8Array, options?: Abortable): Promise<boolean>;
  /** Replaces the content in one step, durably. */
  replace(name: string, pieces: AsyncIterable<Uint8Array>, options?: Abortable): Promise<void>;
  /** Idempotent. */
  remove(name: string, options?: Abortable): Promise<void>;
  /** A file to append to, under the first name that is not taken. */
  append(nextName: () => string): Appender;
  /** What went wrong, in words. */
  explain(error: unknown): string;
  close(): Promise<void>;
}

export interface Appender {
  /** Resolves when the bytes, whole lines, are durable; on an error none of them is there. */
  write(bytes: Uint8Array, options?: Abortable): Promise<void>;
  close(): Promise<void>;
}
