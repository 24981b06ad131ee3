import type { SourceObject } from '../core/interfaces.js';

/**
 * Stands for what is there, or ought to be, but could not be looked at while listing. Opening it fails with the
 * reason: so it is accounted for, as a dead letter, and not left out in silence.
 */
export function unknownObject(key: string): SourceObject {
  return { key, size: -1, version: 'unknown', lastModified: new Date(0).toISOString() };
}

export function isUnknown(object: SourceObject): boolean {
  return object.size < 0;
}
