import { fileURLToPath } from 'node:url';

/** Models that come with the package, by name. */
export const bundledModels = ['all-MiniLM-L6-v2'] as const;

export type BundledModel = (typeof bundledModels)[number];

/** Absolute. */
export function bundledFolder(name: BundledModel): string {
  return fileURLToPath(new URL(`../../../models/${name}`, import.meta.url));
}
