import type { Documents } from './documents.js';
import type { Random } from './settings.js';

export interface Disturbance {
  /** About one object in `n` changes; half as many become shorter, and a third as many go away. */
  readonly oneIn: number;
  /** False where the objects that are there must stay. */
  readonly removing?: boolean;
}

/** Changes, shortens, removes and adds objects; gives how many must be read again. */
export async function disturb(
  documents: Documents,
  { oneIn, removing = true }: Disturbance,
  random: Random,
): Promise<number> {
  const changed = documents.some(oneIn);
  await documents.change(changed);
  const shrunk = documents.some(oneIn * 2);
  await documents.shrink(shrunk);
  if (removing) await documents.remove(documents.some(oneIn * 3));
  const added = random.between(1, 6);
  await documents.add(added);
  return changed.length + shrunk.length + added;
}
