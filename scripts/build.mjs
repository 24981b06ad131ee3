/**
 * npm run build [-- --tests] [-- --clean]
 * Compiles src/ to dist/ and, with --tests, test/ to build/test/. Does nothing, in milliseconds, where nothing changed.
 */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { run, runMain, ScriptError } from './lib/process.mjs';
import { at, filesBelow, isMain } from './lib/project.mjs';

const compiler = at('node_modules/typescript/bin/tsc');

const src = {
  name: 'src',
  config: 'tsconfig.json',
  from: 'src',
  to: 'dist',
  info: 'build/src.tsbuildinfo',
  stamp: 'build/src.stamp',
};
const tests = {
  name: 'test',
  config: 'test/tsconfig.json',
  from: 'test',
  to: 'build/test',
  info: 'build/test.tsbuildinfo',
  stamp: 'build/test.stamp',
};

/**
 * Brings the compiled output up to date.
 * @param {{ withTests?: boolean, clean?: boolean }} [options] `clean`: from nothing, also where nothing changed
 */
export async function build({ withTests = false, clean = false } = {}) {
  await bringUpToDate(src, '', clean);
  makeExecutable();
  if (withTests) await bringUpToDate(tests, fingerprint(src, ''), clean);
}

/** @param {string} basis what the target depends on besides its own files */
async function bringUpToDate(target, basis, clean) {
  if (clean) {
    for (const file of [target.to, target.info, target.stamp])
      rmSync(at(file), { recursive: true, force: true });
  }
  removeOrphans(target);
  const complete = sources(target).every((file) => existsSync(outputOf(target, file)));
  const wanted = fingerprint(target, basis);
  if (complete && read(target.stamp) === wanted) return;
  // tsc trusts its own notes and would not write a missing file again.
  if (!complete) rmSync(at(target.info), { force: true });
  console.error(`Compiling ${target.from}/ …`);
  // Errors go where messages go: stdout is for results.
  const code = await run(process.execPath, [compiler, '-p', at(target.config)], { stdio: ['inherit', 2, 2] });
  if (code !== 0) {
    rmSync(at(target.stamp), { force: true });
    throw new ScriptError(`${target.from}/ does not compile; see above`);
  }
  mkdirSync(at('build'), { recursive: true });
  writeFileSync(at(target.stamp), wanted);
}

const sources = (target) =>
  filesBelow(at(target.from), (name) => name.endsWith('.ts') && !name.endsWith('.d.ts'));

const outputOf = (target, file) =>
  at(target.to, path.relative(at(target.from), file).replace(/\.ts$/, '.js'));

/** Output whose source is gone must go: a renamed test would be run twice. */
function removeOrphans(target) {
  for (const file of filesBelow(at(target.to))) {
    const name = path.relative(at(target.to), file).replace(/(\.d\.ts|\.js)(\.map)?$/, '');
    if (!existsSync(at(target.from, `${name}.ts`))) rmSync(file);
  }
}

/** Changes when a source, a configuration or the compiler does; as quick to take as the files can be listed. */
function fingerprint(target, basis) {
  const hash = createHash('sha256').update(basis);
  const inputs = [
    at('tsconfig.json'),
    at(target.config),
    at('package.json'),
    at('node_modules/typescript/package.json'),
  ];
  for (const file of [...inputs, ...filesBelow(at(target.from), (name) => name.endsWith('.ts'))]) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${file}\0${String(size)}\0${String(mtimeMs)}\n`);
  }
  return hash.digest('hex');
}

const read = (file) => (existsSync(at(file)) ? readFileSync(at(file), 'utf8') : undefined);

/** tsc writes plain files; `bin` of package.json and a link to the command want an executable one. */
function makeExecutable() {
  const main = at('dist/cli/main.js');
  if (existsSync(main)) chmodSync(main, 0o755);
}

if (isMain(import.meta.url)) {
  const args = process.argv.slice(2);
  await runMain(() => build({ withTests: args.includes('--tests'), clean: args.includes('--clean') }));
}
