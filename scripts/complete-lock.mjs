/**
 * node scripts/complete-lock.mjs, after every change of package-lock.json by npm.
 *
 * Native packages come as one optional package a platform. npm leaves out of the lock file those that the registry in
 * use does not offer (a mirror often holds its own platform's only), and then `npm ci` of npm 11 refuses the file, and
 * other platforms would go without. Their names tell what they are for: this writes them in. They have no checksum;
 * npm looks it up where it installs them.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { runMain, ScriptError } from './lib/process.mjs';
import { at, isMain } from './lib/project.mjs';

const platform =
  /-(android|darwin|freebsd|linux|openharmony|win32)-(arm64|arm|ia32|ppc64|riscv64|s390x|x64)(?:-(\w+))?$/;
const libc = { gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl', musleabihf: 'musl' };

/** Optional packages that the lock file's packages name and that it does not hold, with the versions named there. */
export function missingOptional(packages) {
  const names = new Set(Object.keys(packages).map((key) => key.replace(/^.*node_modules\//, '')));
  return Object.values(packages)
    .flatMap(({ optionalDependencies = {}, dev }) =>
      Object.entries(optionalDependencies).map(([name, version]) => ({ name, version, dev })),
    )
    .filter(({ name }) => !names.has(name));
}

function entryOf({ name, version, dev }) {
  const match = platform.exec(name.replace('/', '-').replace(/binding-/, ''));
  if (match === null || !/^\d+\.\d+\.\d+/.test(version)) {
    throw new ScriptError(
      `${name}@${version} is missing in package-lock.json, and its name tells no platform`,
    );
  }
  const [, os, cpu, variant] = match;
  const only = libc[variant];
  return {
    version,
    cpu: [cpu],
    ...(dev === true ? { dev } : {}),
    ...(only === undefined ? {} : { libc: [only] }),
    optional: true,
    os: [os],
  };
}

async function main() {
  const file = at('package-lock.json');
  const lock = JSON.parse(readFileSync(file, 'utf8'));
  const missing = missingOptional(lock.packages);
  const added = missing.map((entry) => [`node_modules/${entry.name}`, entryOf(entry)]);
  const { '': root, ...rest } = lock.packages;
  const sorted = [...Object.entries(rest), ...added].sort(([a], [b]) => a.localeCompare(b, 'en'));
  lock.packages = { '': root, ...Object.fromEntries(sorted) };
  writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`);
  console.log(`package-lock.json: ${String(added.length)} packages of other platforms written in`);
}

if (isMain(import.meta.url)) await runMain(main);
