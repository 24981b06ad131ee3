/** How often something is tried again, and after which pauses. */
export interface Patience {
  /** In a row without progress, the first included. */
  readonly attempts: number;
  /** Pauses grow from here to `maxDelayMs`, doubling, each drawn between half of it and all. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

export const defaultPatience: Patience = { attempts: 6, firstDelayMs: 500, maxDelayMs: 15_000 };

/** The pause after failure number `failures`, from 1. */
export function delayMs(failures: number, { firstDelayMs, maxDelayMs }: Patience): number {
  const full = Math.min(firstDelayMs * 2 ** (failures - 1), maxDelayMs);
  return (full / 2) * (1 + Math.random());
}
