/** Which servers a set of compiled test files needs: told by what they and the test modules they import mention. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { at } from '../lib/project.mjs';
import { services } from './settings.mjs';

/** The helper that hands out all addresses mentions all of them. */
const helper = at('build/test/support/services.js');

/** Unit tests need no server, whatever they mention. */
const unitTests = at('build/test/unit/');

/**
 * @param {readonly string[]} files absolute
 * @returns {(keyof typeof services)[]}
 */
export function servicesNeeded(files) {
  const text = [...withImports(files.filter((file) => !file.startsWith(unitTests)))]
    .filter((file) => file !== helper)
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  return Object.keys(services).filter((name) => services[name].evidence.test(text));
}

function withImports(files, seen = new Set()) {
  for (const file of files.filter((name) => !seen.has(name))) {
    seen.add(file);
    const imported = [...readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)]
      .map(([, target]) => path.resolve(path.dirname(file), target))
      .filter((target) => existsSync(target));
    withImports(imported, seen);
  }
  return seen;
}
