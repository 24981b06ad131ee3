import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/**
 * CPUs that this process may really use: the scheduler's affinity, and the quota of its cgroup, which a
 * container's `--cpus` or Kubernetes' `limits.cpu` sets and which Node does not see. At least 1.
 */
export function grantedCpus(readText: (file: string) => string | undefined = readOrUndefined): number {
  const quota = cgroupQuota(readText);
  const cpus = quota === undefined ? availableParallelism() : Math.min(availableParallelism(), quota);
  // A quota of 1.5 CPUs feeds two workers three quarters of the time each: better than one idle half.
  return Math.max(1, Math.ceil(cpus));
}

function cgroupQuota(readText: (file: string) => string | undefined): number | undefined {
  // Version 2: "200000 100000" or "max 100000"; version 1: two files, -1 for none.
  const v2 = readText('/sys/fs/cgroup/cpu.max')?.trim().split(/\s+/).map(Number);
  if (v2 !== undefined) return ratio(v2[0], v2[1]);
  const v1 = ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((name) => readText(`/sys/fs/cgroup/cpu/${name}`));
  return ratio(Number(v1[0]), Number(v1[1]));
}

function ratio(quota: number | undefined, period: number | undefined): number | undefined {
  if (quota === undefined || period === undefined) return undefined;
  return quota > 0 && period > 0 ? quota / period : undefined;
}

function readOrUndefined(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Not Linux, or another version of cgroups: no quota is known.
    return undefined;
  }
}
