import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import {
  CoreV1Api,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  type KubeConfig,
  type V1ContainerState,
  type V1Pod,
} from '@kubernetes/client-node';
import { environmentOf, expanded, MissingSecret } from './pod-environment.js';

/** What the kubelet takes of a log as a termination message. */
const LOG_TAIL_BYTES = 2048;

export interface MiniKubelet {
  /** Pods that have been started, in order, with the folder that their processes run in. */
  readonly started: readonly { readonly name: string; readonly folder: string }[];
  close(): Promise<void>;
}

export interface MiniKubeletOptions {
  /** Entrypoint by image: what is run in place of the container. Another image cannot be pulled. */
  readonly images: Readonly<Record<string, readonly string[]>>;
  readonly namespace: string;
  /** Each pod gets a folder in it: working directory, TMPDIR and log. */
  readonly folder: string;
}

/**
 * Scheduler and kubelet of one node, as far as the Jobs of a namespace need them: binds pods, runs the process of their first container on
 * this machine, reports its state, and ends it by SIGTERM and, after the grace time, SIGKILL when the pod is deleted.
 */
export async function startMiniKubelet(
  config: KubeConfig,
  { images, namespace, folder }: MiniKubeletOptions,
): Promise<MiniKubelet> {
  const core = config.makeApiClient(CoreV1Api);
  const node = `mini-${namespace}`;
  await core.createNode({ body: { metadata: { name: node } } });

  const bound = new Set<string>();
  const containers = new Map<string, ChildProcess | undefined>();
  const stopping = new Set<string>();
  const started: { name: string; folder: string }[] = [];
  const work = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let closed = false;

  const informer = makeInformer(config, `/api/v1/namespaces/${namespace}/pods`, () =>
    core.listNamespacedPod({ namespace }),
  );
  for (const event of ['add', 'update'] as const) informer.on(event, (pod) => inBackground(sync(pod)));
  informer.on('error', () => {
    // A watch ends now and then; the informer lists again.
    if (!closed) setImmediate(() => inBackground(informer.start()));
  });
  await informer.start();

  return {
    started,
    close: async () => {
      closed = true;
      await informer.stop();
      for (const child of containers.values()) child?.kill('SIGKILL');
      while (work.size > 0) await Promise.allSettled(work);
      await core.deleteNode({ name: node });
      if (failures.length > 0) throw new AggregateError(failures, 'the mini kubelet failed');
    },
  };

  function inBackground(job: Promise<void>): void {
    const settled = job
      // Pods may be gone by the time that something is said of them.
      .catch((error: unknown) => {
        if (!isGone(error) && !closed) failures.push(error);
      })
      .finally(() => work.delete(settled));
    work.add(settled);
  }

  async function sync(pod: V1Pod): Promise<void> {
    const uid = pod.metadata?.uid ?? '';
    if (pod.metadata?.deletionTimestamp !== undefined) {
      if (stopping.has(uid)) return;
      stopping.add(uid);
      await stop(pod, uid);
    } else if (pod.spec?.nodeName === undefined) {
      if (bound.has(uid)) return;
      bound.add(uid);
      await bind(pod);
    } else if (pod.status?.phase === 'Pending' && !containers.has(uid)) {
      containers.set(uid, undefined);
      await run(pod, uid);
    }
  }

  async function bind(pod: V1Pod): Promise<void> {
    await core.createNamespacedPodBinding({
      ...identity(pod),
      body: {
        metadata: { name: identity(pod).name },
        target: { apiVersion: 'v1', kind: 'Node', name: node },
      },
    });
  }

  async function run(pod: V1Pod, uid: string): Promise<void> {
    const container = pod.spec?.containers[0];
    const entrypoint = images[container?.image ?? ''];
    if (container === undefined || entrypoint === undefined) {
      await report(pod, 'Pending', {
        waiting: { reason: 'ImagePullBackOff', message: `cannot pull ${container?.image ?? ''}` },
      });
      return;
    }
    const cwd = join(folder, identity(pod).name);
    await mkdir(cwd);
    let env: Record<string, string>;
    try {
      env = await environmentOf(pod, core);
    } catch (error) {
      if (!(error instanceof MissingSecret)) throw error;
      await report(pod, 'Pending', {
        waiting: { reason: 'CreateContainerConfigError', message: error.message },
      });
      return;
    }
    if (stopping.has(uid)) return;
    const startedAt = new Date();
    const [command = '', ...args] = [
      ...entrypoint,
      ...(container.args ?? []).map((arg) => expanded(arg, env)),
    ];
    const child = spawn(command, args, {
      cwd,
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: cwd,
        TMPDIR: cwd,
        HOSTNAME: pod.spec?.hostname ?? '',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    containers.set(uid, child);
    started.push({ name: identity(pod).name, folder: cwd });
    const log = createWriteStream(join(cwd, 'log'));
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    const ended = new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        log.end(() => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
      });
    });
    await report(pod, 'Running', { running: { startedAt } });
    const exitCode = await ended;
    if (closed) return;
    await report(pod, exitCode === 0 ? 'Succeeded' : 'Failed', {
      terminated: {
        exitCode,
        reason: exitCode === 0 ? 'Completed' : 'Error',
        startedAt,
        finishedAt: new Date(),
        ...(exitCode === 0 ? {} : { message: await logTail(join(cwd, 'log')) }),
      },
    });
    if (stopping.has(uid)) await remove(pod);
  }

  async function stop(pod: V1Pod, uid: string): Promise<void> {
    const child = containers.get(uid);
    // Ended, or never started.
    if (child?.exitCode !== null || child.signalCode !== null) {
      await remove(pod);
      return;
    }
    child.kill('SIGTERM');
    const graceMs = (pod.metadata?.deletionGracePeriodSeconds ?? 30) * 1000;
    const killing = setTimeout(() => child.kill('SIGKILL'), graceMs);
    child.once('close', () => clearTimeout(killing));
  }

  async function remove(pod: V1Pod): Promise<void> {
    await core.deleteNamespacedPod({ ...identity(pod), gracePeriodSeconds: 0 });
  }

  async function report(pod: V1Pod, phase: string, state: V1ContainerState): Promise<void> {
    const container = pod.spec?.containers[0];
    const isRunning = state.running !== undefined;
    const status = {
      name: container?.name,
      image: container?.image,
      imageID: '',
      ready: isRunning,
      started: isRunning,
      restartCount: 0,
      state,
    };
    const conditions = [{ type: 'Ready', status: isRunning ? 'True' : 'False' }];
    await core.patchNamespacedPodStatus(
      { ...identity(pod), body: { status: { phase, conditions, containerStatuses: [status] } } },
      setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch),
    );
  }
}

function identity(pod: V1Pod): { name: string; namespace: string } {
  return { name: pod.metadata?.name ?? '', namespace: pod.metadata?.namespace ?? '' };
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 404 || error.code === 409);
}

/** FallbackToLogsOnError, where the process has written no message. */
async function logTail(file: string): Promise<string> {
  const log = await readFile(file);
  return log.subarray(-LOG_TAIL_BYTES).toString('utf8');
}
