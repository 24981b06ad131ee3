import { chmod } from 'node:fs/promises';

const NOBODY = 65_534;

/**
 * Runs `work` as a user whom file permissions bind: tests often run as root, whom they do not. `folder` is made
 * enterable for that user first.
 */
export async function unprivileged<Result>(folder: string, work: () => Promise<Result>): Promise<Result> {
  if (process.geteuid?.() !== 0 || process.seteuid === undefined) return await work();
  await chmod(folder, 0o755);
  process.seteuid(NOBODY);
  try {
    return await work();
  } finally {
    process.seteuid(0);
  }
}
