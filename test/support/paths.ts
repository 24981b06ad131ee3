import { fileURLToPath } from 'node:url';

/** The project's root: compiled tests lie in `build/test/support/`. */
export const projectRoot = fileURLToPath(new URL('../../../', import.meta.url));

/** A file below `test/data/`. */
export function testData(path: string): string {
  return fileURLToPath(new URL(`../../../test/data/${path}`, import.meta.url));
}

/** The built program. */
export const cli = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
