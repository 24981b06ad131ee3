/** What builds images and runs containers here: Docker where its engine answers, else buildah and podman. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { capture, run, ScriptError } from '../lib/process.mjs';
import { at, root } from '../lib/project.mjs';
import { dockerMissing } from '../services/docker.mjs';
import { importStandIn, standInRootfs } from './stand-in-base.mjs';

const dockerfile = 'container/Dockerfile';
const packages = ['buildah', 'podman', 'crun', 'debootstrap'];

/**
 * @typedef {object} Tools
 * @property {string} name
 * @property {readonly string[]} command to which the words of `docker …` are appended
 * @property {readonly string[]} runOptions that every `run` needs here
 * @property {(image: string, buildArguments: readonly string[]) => Promise<number>} build gives an exit code
 */

/** @returns {Promise<Tools>} Error: ScriptError, where there is nothing to be had. */
export async function findTools() {
  const dockerProblem = await dockerMissing();
  if (dockerProblem === undefined) return docker;
  if (process.platform !== 'linux' || process.geteuid() !== 0) {
    throw new ScriptError(`no Docker (${dockerProblem}), and buildah with podman needs Linux and root here`);
  }
  await installMissing(dockerProblem);
  return podman();
}

const docker = {
  name: 'docker',
  command: ['docker'],
  runOptions: [],
  build: (image, buildArguments) =>
    run('docker', ['build', '--quiet', '-f', dockerfile, '-t', image, ...buildArguments, '.'], { cwd: root }),
};

async function installMissing(dockerProblem) {
  const isThere = await Promise.all(packages.map((name) => answers(name)));
  const missing = packages.filter((_, place) => !isThere[place]);
  if (missing.length === 0) return;
  console.log(`container: no Docker (${dockerProblem}); installing ${missing.join(', ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['update', '-qq'], { env, stdio: 'ignore' }).catch(() => 1);
  const install = ['install', '-y', '-qq', '--no-install-recommends', ...missing];
  const code = await run('apt-get', install, { env, stdio: ['ignore', 'ignore', 'inherit'] }).catch(() => 1);
  if (code !== 0) throw new ScriptError(`no Docker (${dockerProblem}), and no ${missing.join(', ')}`);
}

const answers = (command) =>
  capture(command, ['--version'])
    .then(({ code }) => code === 0)
    .catch(() => false);

/** Images live in a store of their own: the stand-in carries a name that is not its own. */
function podman() {
  const cache = process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache');
  const store = path.join(cache, 'embatch-test', 'containers');
  mkdirSync(store, { recursive: true });
  const places = ['--root', path.join(store, 'root'), '--runroot', path.join(store, 'run')];
  const command = [
    ...withUnifiedCgroups(),
    'podman',
    ...places,
    '--cgroup-manager',
    'cgroupfs',
    '--runtime',
    'crun',
  ];
  return {
    name: 'podman',
    command,
    // crun may not raise limits in a sandbox, and needs no cgroup of its own for what is checked here.
    runOptions: ['--cgroups=disabled', '--ulimit', 'nofile=4096:4096', '--ulimit', 'nproc=4096:4096'],
    build: async (image, buildArguments) => {
      const base = baseOf(buildArguments);
      const { code } = await capture(command[0], [...command.slice(1), 'image', 'exists', base]);
      if (code !== 0 && !(await pulled([...command, 'pull', '--quiet', base]))) {
        await importStandIn(command, base, await standInRootfs(base));
      }
      const options = ['--isolation=chroot', '--pull-never', '--layers', '-f', dockerfile, '-t', image];
      return run('buildah', [...places, 'bud', ...options, ...buildArguments, '.'], {
        cwd: root,
        stdio: ['ignore', 'ignore', 'inherit'],
      });
    },
  };
}

const PULL_PATIENCE_MS = 60_000;

async function pulled([command, ...args]) {
  const { code } = await capture(command, args, { timeout: PULL_PATIENCE_MS });
  return code === 0;
}

/** The image that the Dockerfile begins with. */
export function baseOf(buildArguments) {
  const given = buildArguments.find((argument) => argument.startsWith('BASE='))?.slice('BASE='.length);
  const declared = /^ARG BASE=(\S+)$/m.exec(readFileSync(at(dockerfile), 'utf8'))?.[1];
  const base = given ?? declared;
  if (base === undefined) throw new ScriptError(`${dockerfile} has no ARG BASE`);
  return base;
}

/** crun refuses a machine with both kinds of cgroups: a private view shows it one. */
function withUnifiedCgroups() {
  if (existsSync('/sys/fs/cgroup/cgroup.controllers')) return [];
  const show = 'umount -R -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; exec "$0" "$@"';
  return ['unshare', '--mount', 'sh', '-c', show];
}
