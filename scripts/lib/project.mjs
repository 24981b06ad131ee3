/** Where the project's things lie. Uses nothing that must be installed first. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The project's folder, absolute. */
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/** Absolute path of a file named relative to the project's folder. */
export const at = (...parts) => path.join(root, ...parts);

/** True where the module with this `import.meta.url` was started and not imported. */
export const isMain = (url) => process.argv[1] !== undefined && url === pathToFileURL(process.argv[1]).href;

/**
 * Every file below a folder, as absolute paths in a stable order; nothing where the folder is missing.
 * @param {string} folder absolute
 * @param {(name: string) => boolean} [wanted] by file name
 * @returns {string[]}
 */
export function filesBelow(folder, wanted = () => true) {
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const file = path.join(folder, entry.name);
      if (entry.isDirectory()) return filesBelow(file, wanted);
      return wanted(entry.name) ? [file] : [];
    });
}
