import { readFileSync } from 'node:fs';
import { arch } from 'node:os';

/** What decides which int8 file suits a CPU. */
export interface CpuFeatures {
  readonly arm64: boolean;
  /** Multiplies uint8 with int8 without overflow (x86: AVX-VNNI or AVX512-VNNI). */
  readonly vnni: boolean;
}

/** Of the CPU we run on; flags that cannot be read count as absent. */
export function cpuFeatures(): CpuFeatures {
  return { arm64: arch() === 'arm64', vnni: /\b(avx512_vnni|avx_vnni)\b/.test(readFlags()) };
}

function readFlags(): string {
  try {
    return /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '';
  } catch {
    // Not Linux: the file for CPUs without VNNI runs everywhere.
    return '';
  }
}
