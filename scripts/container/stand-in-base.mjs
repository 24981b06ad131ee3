/**
 * An image that stands in for Node's slim Debian image where no registry can be reached: the same release of Debian, the
 * same version of Node, and npm, under the same name, in a store of its own. For checks on one machine only: it knows that
 * machine's registry and certificate authorities.
 */
import { cpSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { capture, run, ScriptError } from '../lib/process.mjs';
import { npm } from '../lib/npm.mjs';
import { buildOnce } from '../services/cache.mjs';

/** `docker.io/library/node:24.21.0-trixie-slim` */
function partsOf(base) {
  const match = /^docker\.io\/library\/node:(\d+\.\d+\.\d+)-([a-z]+)-slim$/.exec(base);
  if (match === null)
    throw new ScriptError(`there is no stand-in for ${base}, only for node:VERSION-DEBIAN-slim`);
  return { version: match[1], debian: match[2] };
}

/**
 * @param {string} base name of the image that is stood in for
 * @returns {Promise<string>} an archive of its root file system
 */
export async function standInRootfs(base) {
  const { version, debian } = partsOf(base);
  const name = `container-base-${version}-${debian}-${process.arch}`;
  const folder = await buildOnce(name, 'rootfs.tar', async (draft) => {
    console.log(`container: assembling a stand-in for ${base} (once, some minutes)`);
    const rootfs = path.join(draft, 'rootfs');
    await must('debootstrap', ['--variant=minbase', debian, rootfs]);
    await addNode(rootfs, version, draft);
    await addMachine(rootfs);
    await must('tar', ['-C', rootfs, '-cf', path.join(draft, 'rootfs.tar'), '.']);
    await must('rm', ['-rf', '--one-file-system', rootfs]);
  });
  return path.join(folder, 'rootfs.tar');
}

async function must(command, args) {
  const { code, stderr } = await capture(command, args);
  if (code !== 0)
    throw new ScriptError(`${command} ended with ${String(code)}: ${stderr.trim().slice(-500)}`);
}

/** The npm package that carries Node's binaries, and the npm of this machine. */
async function addNode(rootfs, version, draft) {
  const name = `node-${process.platform}-${process.arch}`;
  const code = await npm([
    'install',
    '--silent',
    '--no-audit',
    '--no-fund',
    '--prefix',
    draft,
    `${name}@${version}`,
  ]);
  if (code !== 0) throw new ScriptError(`Node ${version} could not be fetched from npm`);
  const local = path.join(rootfs, 'usr/local');
  cpSync(path.join(draft, 'node_modules', name, 'bin/node'), path.join(local, 'bin/node'));
  const { stdout } = await capture('npm', ['root', '--global']);
  const from = path.join(stdout.trim(), 'npm');
  if (!existsSync(from)) throw new ScriptError(`there is no npm in ${stdout.trim()}`);
  cpSync(realpathSync(from), path.join(local, 'lib/node_modules/npm'), {
    recursive: true,
    dereference: true,
  });
  for (const command of ['npm', 'npx']) {
    symlinkSync(`../lib/node_modules/npm/bin/${command}-cli.js`, path.join(local, 'bin', command));
  }
}

/** What `npm ci` needs to reach a registry from here. */
async function addMachine(rootfs) {
  const { stdout } = await capture('npm', ['config', 'get', 'registry']);
  mkdirSync(path.join(rootfs, 'usr/local/etc'), { recursive: true });
  writeFileSync(path.join(rootfs, 'usr/local/etc/npmrc'), `registry=${stdout.trim()}\n`);
  const authorities = process.env.NODE_EXTRA_CA_CERTS;
  if (authorities !== undefined) cpSync(authorities, path.join(rootfs, authoritiesFile));
}

const authoritiesFile = 'usr/local/etc/machine-authorities.pem';

/** Puts the archive into a store of images. */
export async function importStandIn(podman, base, archive) {
  const changes =
    process.env.NODE_EXTRA_CA_CERTS === undefined ? [] : [`NODE_EXTRA_CA_CERTS=/${authoritiesFile}`];
  const code = await run(podman[0], [
    ...podman.slice(1),
    'import',
    ...changes.flatMap((change) => ['--change', `ENV ${change}`]),
    archive,
    base,
  ]);
  if (code !== 0) throw new ScriptError(`podman could not import the stand-in for ${base}`);
}
