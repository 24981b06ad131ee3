/** Dependencies are few, exact, explained, and locked for every platform. */
import { existsSync, readFileSync } from 'node:fs';
import { missingOptional } from '../complete-lock.mjs';
import { at } from '../lib/project.mjs';

const manual = 'docs/dependencies.md';

/** @returns {string[]} what is wrong, one line each */
export function checkDependencies() {
  const { dependencies = {}, devDependencies = {} } = JSON.parse(readFileSync(at('package.json'), 'utf8'));
  const all = { ...dependencies, ...devDependencies };
  const lock = JSON.parse(readFileSync(at('package-lock.json'), 'utf8'));
  const rows = manualRows();
  return [
    ...Object.entries(all)
      .filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
      .map(([name, version]) => `package.json: ${name} is '${version}'; give an exact version`),
    ...Object.entries(all)
      .filter(([name, version]) => rows.get(name) !== version)
      .map(([name, version]) => {
        const found = rows.has(name) ? `says ${rows.get(name)}` : 'has no row';
        return `${manual} ${found} for ${name} ${version}: version and reason belong there`;
      }),
    ...[...rows.keys()]
      .filter((name) => !Object.hasOwn(all, name))
      .map((name) => `${manual} has a row for ${name}, which package.json does not have`),
    ...Object.entries(lock.packages)
      .filter(([, entry]) => entry.resolved !== undefined)
      .map(([name]) => `package-lock.json records a download address for ${name}; .npmrc forbids that`),
    ...lockedOtherwise(all, lock.packages),
    ...missingOptional(lock.packages).map(
      ({ name }) => `package-lock.json lacks ${name}: run node scripts/complete-lock.mjs`,
    ),
  ];
}

const lockedOtherwise = (all, packages) =>
  Object.entries(all)
    .map(([name, version]) => ({ name, version, locked: packages[`node_modules/${name}`]?.version }))
    .filter(({ version, locked }) => locked !== version)
    .map(
      ({ name, version, locked }) =>
        `package-lock.json has ${name} ${String(locked)}, package.json ${version}`,
    );

/** Name and version of each row `| name | version | …` of the manual's tables. */
function manualRows() {
  if (!existsSync(at(manual))) return new Map();
  const rows = readFileSync(at(manual), 'utf8').matchAll(/^\| `([^`]+)` *\| *(\S+) *\|/gm);
  return new Map([...rows].map(([, name, version]) => [name, version]));
}
