import { describeError, systemErrorCode } from './errors.js';

const remedies: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; free some space and run again',
  EDQUOT: 'the disk quota is used up; free some space and run again',
  EROFS: 'the file system is read-only; choose another folder',
  EACCES: 'permission denied; choose a folder that this user may write to',
  EPERM: 'not permitted; choose a folder that this user may write to',
  ENOTDIR: 'a part of the path is a file, not a folder; choose another folder',
  EEXIST: 'a part of the path is a file, not a folder; choose another folder',
  EISDIR: 'it is a folder where a file is expected; choose another folder',
  EMFILE: 'too many files are open; raise the limit (`ulimit -n`) or lower --workers',
};

/** What a failed call to the file system means and what to do, in words without a final stop. */
export function explainFileError(error: unknown): string {
  return remedies[systemErrorCode(error) ?? ''] ?? describeError(error);
}
