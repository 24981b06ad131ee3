/** Builds a control plane of Kubernetes from its Go modules, where there is no cluster to test with. */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { capture, run, ScriptError } from '../lib/process.mjs';
import { at } from '../lib/project.mjs';
import { buildOnce, cachedFile } from './cache.mjs';
import { versions } from './settings.mjs';

const program = process.platform === 'win32' ? 'controlplane.exe' : 'controlplane';
const source = at('scripts/services/kubernetes/main.go');
const sourceHash = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 8);
const home = `kubernetes-${versions.kubernetes}-${sourceHash}`;

/**
 * Whether the program is in the cache, so that tests with it cost no more than seconds.
 * @public .ci/run asks it
 */
export const isBuilt = () => existsSync(cachedFile(home, program));

/** @returns {Promise<string>} the program */
export async function buildControlPlane() {
  return path.join(await buildOnce(home, program, build), program);
}

async function build(folder) {
  if ((await capture('go', ['version']).catch(() => undefined))?.code !== 0) {
    throw new ScriptError('it is compiled from Go modules, and there is no go (https://go.dev/dl/)');
  }
  console.log(
    `services: Kubernetes ${versions.kubernetes} is not in the cache, compiling it (once, some ten minutes) …`,
  );
  writeFileSync(path.join(folder, 'go.mod'), await moduleFile());
  copyFileSync(source, path.join(folder, 'main.go'));
  await go(folder, ['mod', 'tidy']);
  await go(folder, ['build', '-ldflags', linkerFlags(), '-o', program, '.']);
}

/**
 * k8s.io/kubernetes takes its own libraries from its source tree. Outside of it the same ones are modules of the same
 * release, v0 instead of v1; its other dependencies are taken as it has them.
 */
async function moduleFile() {
  const wanted = `k8s.io/kubernetes@v${versions.kubernetes}`;
  const found = await capture('go', ['mod', 'download', '-json', wanted]);
  if (found.code !== 0) throw new ScriptError(`go cannot fetch ${wanted}: ${found.stdout}${found.stderr}`);
  const theirs = readFileSync(JSON.parse(found.stdout).GoMod, 'utf8');
  const libraries = [...theirs.matchAll(/^\s*(?:replace )?(k8s\.io\/\S+) => \.\/staging\//gm)].map(
    ([, library]) => `\t${library} => ${library} v${versions.kubernetes.replace(/^1/, '0')}`,
  );
  const settings = theirs.match(/^(go|godebug) .+$/gm) ?? [];
  return [
    'module embatch-test-control-plane',
    ...settings,
    `require k8s.io/kubernetes v${versions.kubernetes}`,
    `replace (\n${libraries.join('\n')}\n)`,
    '',
  ].join('\n\n');
}

/** Without a version of its own the apiserver takes itself for v0.0.0 and refuses what that one had not. */
function linkerFlags() {
  const [major, minor] = versions.kubernetes.split('.');
  const version = 'k8s.io/component-base/version';
  const values = { gitVersion: `v${versions.kubernetes}`, gitMajor: major, gitMinor: minor };
  return [
    '-s',
    '-w',
    ...Object.entries(values).map(([name, value]) => `-X ${version}.${name}=${value}`),
  ].join(' ');
}

async function go(folder, args) {
  const environment = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off' };
  const code = await run('go', args, { cwd: folder, env: environment, stdio: ['ignore', 2, 2] });
  if (code !== 0) throw new ScriptError(`go ${args[0]} failed; see above`);
}
