import type { Abortable } from '../../core/interfaces.js';
import type { ModelLocation } from '../model/model.js';
import type { RemoteFile } from './choose-files.js';
import type { FetchOptions } from './fetch-file.js';

/** One version of a model where it is kept, and the local folder that its files arrive in. */
export interface ModelPlace<File extends RemoteFile = RemoteFile> {
  readonly location: ModelLocation;
  /** For messages: as a user writes it, with the commit where there is one. */
  readonly name: string;
  /** For messages: the host or bucket. */
  readonly origin: string;
  readonly files: readonly File[];
  /** True where a file is there in the right size: cheap, no content is read. */
  has(file: File): Promise<boolean>;
  /** True where a file is there with the right content, as far as that can be told; puts links right. */
  reuse(file: File, options: Abortable): Promise<boolean>;
  /** Fetches a file. Error: MODEL. @returns bytes that were fetched */
  fetch(file: File, options: FetchOptions): Promise<number>;
}
