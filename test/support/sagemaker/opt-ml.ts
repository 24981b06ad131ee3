import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../paths.js';

/** Process 1 of the image (container/Dockerfile): plain Node, so that it runs without the image too. */
const entrypoint = join(projectRoot, 'container/entrypoint.mjs');

/** Shows the process a folder as /opt/ml, and leaves the machine's own /opt as it is. */
const inNamespace = `
  set -e
  mount -t tmpfs none "$1/overlay"
  mkdir "$1/overlay/upper" "$1/overlay/work"
  mount -t overlay none -o "lowerdir=/opt,upperdir=$1/overlay/upper,workdir=$1/overlay/work" /opt
  mkdir -p /opt/ml
  mount --bind "$1/ml" /opt/ml
  shift
  exec "$@"`;

/** Why no process can be shown an /opt/ml of its own here; false where it can. */
export const skipWithoutMounts: string | false = whyNot();

function whyNot(): string | false {
  if (process.platform !== 'linux') return 'mount namespaces are a thing of Linux';
  if (process.geteuid?.() !== 0) return 'only root may give a process an /opt/ml of its own';
  const tried = spawnSync('unshare', ['--mount', 'sh', '-c', 'mount -t tmpfs none /mnt'], {
    encoding: 'utf8',
  });
  return tried.status === 0
    ? false
    : `unshare --mount does not work here: ${tried.stderr || String(tried.error)}`;
}

export interface SageMakerHost {
  /** The container's name on its network: `algo-1`. */
  readonly name: string;
  /** In the order of the file, which is lexicographic. */
  readonly hosts: readonly string[];
  /** A folder for this host alone. */
  readonly folder: string;
  /** The content of processingjobconfig.json. */
  readonly job: Readonly<Record<string, unknown>>;
}

/** Lays out what SageMaker lays out. Source: SageMaker developer guide, "Build your own processing container". */
export function layOut({ name, hosts, folder, job }: SageMakerHost): void {
  for (const part of ['overlay', 'ml/config', 'ml/output', 'ml/processing']) {
    mkdirSync(join(folder, part), { recursive: true });
  }
  const resource = { current_host: name, hosts };
  writeFileSync(join(folder, 'ml/config/resourceconfig.json'), JSON.stringify(resource));
  writeFileSync(join(folder, 'ml/config/processingjobconfig.json'), JSON.stringify(job));
}

export interface HostProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
  /** The exit message so far; undefined where there is none. */
  message(): Buffer | undefined;
}

/** Starts the entry point with `words` on a host that was laid out. Nothing of our own environment is passed on. */
export function startHost(
  { folder }: Pick<SageMakerHost, 'folder'>,
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
): HostProcess {
  const { PATH = '' } = process.env;
  const child = spawn(
    'unshare',
    ['--mount', 'sh', '-c', inNamespace, 'sh', folder, process.execPath, entrypoint, ...words],
    { cwd: folder, env: { PATH, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<{ code: number; stdout: string; stderr: string }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code: code ?? 137, stdout, stderr });
    });
  });
  return {
    child,
    ended,
    message() {
      try {
        return readFileSync(join(folder, 'ml/output/message'));
      } catch {
        return undefined;
      }
    },
  };
}
