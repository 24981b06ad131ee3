/**
 * What `npm start` and `npm test` do first: install and build what is missing or stale, and nothing otherwise.
 * Uses nothing that must be installed first.
 */
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { build } from './build.mjs';
import { installOptions, npm } from './lib/npm.mjs';
import { runMain, ScriptError } from './lib/process.mjs';
import { at, isMain } from './lib/project.mjs';

const minimumNode = [20, 19];
const minimumGlibc = [2, 28];
/** Where both ONNX Runtime and LanceDB have builds. */
const platforms = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'win32-x64', 'win32-arm64'];
/** Remembers which lock file was installed, in the folder that it describes. */
const installed = 'node_modules/.embatch-installed';

/** @param {{ withTests?: boolean }} [options] */
export async function setup({ withTests = false } = {}) {
  checkMachine();
  if (!isInstalled()) await install();
  await build({ withTests });
}

function checkMachine() {
  const node = process.versions.node.split('.').map(Number);
  if (isOlder(node, minimumNode)) {
    throw new ScriptError(
      `Node ${minimumNode.join('.')} or newer is needed, this is ${process.versions.node}`,
    );
  }
  const platform = `${process.platform}-${process.arch}`;
  if (!platforms.includes(platform)) {
    const hint = platform === 'darwin-x64' ? ' (Intel Macs: ONNX Runtime ended their builds with 1.24)' : '';
    throw new ScriptError(`${platform} is not supported${hint}; supported are ${platforms.join(', ')}`);
  }
}

/** Linux without glibc (Alpine), or with an old one. Asking costs some milliseconds: done before installing only. */
function checkLibc() {
  if (process.platform !== 'linux') return;
  process.report.excludeNetwork = true;
  const { glibcVersionRuntime } = process.report.getReport().header;
  if (glibcVersionRuntime === undefined) {
    throw new ScriptError(
      'ONNX Runtime has no build for musl: use a Linux with glibc, such as Debian, not Alpine',
    );
  }
  if (isOlder(glibcVersionRuntime.split('.').map(Number), minimumGlibc)) {
    throw new ScriptError(
      `glibc ${minimumGlibc.join('.')} or newer is needed, this is ${glibcVersionRuntime}`,
    );
  }
}

const isOlder = ([major, minor], [minMajor, minMinor]) =>
  major < minMajor || (major === minMajor && minor < minMinor);

const lockHash = () =>
  createHash('sha256')
    .update(readFileSync(at('package-lock.json')))
    .digest('hex');

/** By content: a time stamp says little after a checkout, and someone may have installed by hand. */
function isInstalled() {
  if (existsSync(at(installed)) && readFileSync(at(installed), 'utf8') === lockHash()) return true;
  if (!existsSync(at('node_modules/.package-lock.json'))) return false;
  const { packages: wanted } = JSON.parse(readFileSync(at('package-lock.json'), 'utf8'));
  const { packages: found } = JSON.parse(readFileSync(at('node_modules/.package-lock.json'), 'utf8'));
  return Object.entries(wanted).every(
    ([name, { version, optional }]) =>
      name === '' || found[name]?.version === version || (optional === true && found[name] === undefined),
  );
}

async function install() {
  checkLibc();
  // npm ci empties the folder: behind a link it belongs to another checkout.
  if (lstatSync(at('node_modules'), { throwIfNoEntry: false })?.isSymbolicLink()) {
    console.error('warning: node_modules is a link and does not fit package-lock.json; left as it is');
    return;
  }
  console.error('Installing packages with npm …');
  if ((await npm(['ci', ...installOptions])) !== 0 || !hasNativePackages()) {
    // A lock file written on one platform may lack another's optional packages (npm/cli#4828).
    console.error('npm ci did not give a complete installation; trying npm install …');
    const code = await npm(['install', '--no-save', '--no-package-lock', ...installOptions]);
    if (code !== 0) throw new ScriptError(`npm install failed with exit code ${String(code)}; see above`);
    if (!hasNativePackages()) {
      throw new ScriptError(
        `LanceDB's package for ${process.platform}-${process.arch} could not be installed`,
      );
    }
  }
  writeFileSync(at(installed), lockHash());
}

/** LanceDB's native part is a package a platform; npm says nothing where it found none. */
function hasNativePackages() {
  const folder = at('node_modules/@lancedb');
  const prefix = `lancedb-${process.platform}-${process.arch}`;
  return existsSync(folder) && readdirSync(folder).some((name) => name.startsWith(prefix));
}

if (isMain(import.meta.url)) await runMain(() => setup({ withTests: process.argv.includes('--tests') }));
