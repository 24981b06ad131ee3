import { EmbatchError } from '../../core/errors.js';
import { parseSize } from '../../core/units.js';

/** Below this nothing of ours has ever run: it is a forgotten unit. */
const MIN_MEMORY_BYTES = 128 * 2 ** 20;

/** Kubernetes writes binary sizes without the B, and decimal ones too. `m`, `k`, `P` and `E` are no sizes of a shard. */
const memoryUnits: Readonly<Record<string, string>> = {
  '': '',
  B: '',
  KB: 'k',
  MB: 'M',
  GB: 'G',
  TB: 'T',
  KiB: 'Ki',
  MiB: 'Mi',
  GiB: 'Gi',
  TiB: 'Ti',
  M: 'M',
  G: 'G',
  T: 'T',
  Ki: 'Ki',
  Mi: 'Mi',
  Gi: 'Gi',
  Ti: 'Ti',
};

/** `4GiB`, or as Kubernetes writes it `4Gi`, as a Kubernetes quantity: `4Gi`. Error: USAGE. */
export function memoryQuantity(size: string): string {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(size.trim());
  const [, number = '', unit = ''] = match ?? [];
  const suffix = memoryUnits[unit];
  const bytes = suffix === undefined ? undefined : parseSize(`${number}${sizeUnit(suffix)}`);
  if (match === null || bytes === undefined) {
    throw new EmbatchError('USAGE', `--memory ${size} is no size; write one such as 4GiB or 4Gi.`);
  }
  if (bytes < MIN_MEMORY_BYTES) {
    throw new EmbatchError(
      'USAGE',
      `--memory ${size} is ${bytes} bytes, less than the 128MiB that a shard needs at least; write one such as 4GiB.`,
    );
  }
  return `${number}${suffix ?? ''}`;
}

const sizeUnit = (suffix: string): string => (suffix === 'k' ? 'KB' : `${suffix}B`);

/** `4`, `0.5` or `500m`, which are a Kubernetes quantity as they are. Error: USAGE. */
export function cpuQuantity(cpus: string): string {
  const text = cpus.trim();
  const match = /^(?:(\d+(?:\.\d{1,3})?)|(\d+)m)$/.exec(text);
  const [, whole, thousandths] = match ?? [];
  const count = whole === undefined ? Number(thousandths) / 1000 : Number(whole);
  if (match === null || !(count > 0)) {
    throw new EmbatchError('USAGE', `--cpu ${cpus} is no number of CPUs; write one such as 4, 0.5 or 500m.`);
  }
  return text;
}
